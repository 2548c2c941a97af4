"""Sentences by grammar: somebody did, somebody was done to, something is of or about somebody.

A few hundred pieces give millions of sentences in the tones of ward rounds, letters, messages, reports and dictation.
Every frame is as often filled with what is nobody (a drug, a disease, a common word, 'the patient') as with a name, so
that what stands about a word does not make it a name by itself.
"""

import random
from functools import lru_cache

from vitrail.deid.text.lexicon import lexicon, words

DID = """
says the pain is worse at night|reports no chest pain|denies any bleeding|has been vomiting since noon
|was seen on the ward|was admitted overnight|is now off antibiotics|is on day three of steroids
|was started on oxygen|remains confused|remains intubated|is recovering well|is awaiting a scan|is keen to go home
|is due for review|needs a repeat scan|needs bloods in the morning|will need a transfusion|will come back next week
|will be seen in clinic|will go home today|may go home|can eat and drink|could not be reached|did not attend
|did well after surgery|does not smoke|does not speak English|drank half a bottle of water|ate all of lunch
|walked to the bathroom|slept well|felt dizzy on standing|fell in the shower|fell out of bed|looks pale|looks well
|looks unwell|seems brighter|seems more settled|appears anxious|complained of nausea|complains of a dull ache
|presents with a swollen knee|presented with a first seizure|came in with jaundice|came to the office
|comes for a blood test|came back negative|is here for a check up|is here today with a cough|is a retired farmer
|is a pleasant gentleman|is a 40 year old smoker|is known to our service|is well known to me|is allergic to latex
|is taking aspirin|is still bleeding|is still waiting|is under the care of cardiology|had a colonoscopy
|had a good night|had two episodes of diarrhea|has a history of gout|has a low grade fever|has lost ten pounds
|has not passed urine|has improved|has no new symptoms|has type 2 diabetes|has two children|has agreed to surgery
|has consented|has asked for a refill|was given morphine|was given a leaflet|was told to rest
|was advised to lose weight|was counseled about smoking|was referred to urology|was transferred to icu
|was extubated this morning|was reviewed by the team|was noted to be hypotensive|was brought by ambulance
|was found on the floor|was born at 36 weeks|was diagnosed last year|underwent a knee replacement
|underwent bypass surgery|received two doses|received chemotherapy|required suction|required a catheter
|tested positive|tolerated the diet|refused the injection|refuses medication|declined further tests
|wants a second opinion|wants to stop the tablet|wishes to be resuscitated|would like to know the result
|asked about the rash|called about a refill|called to cancel|rang to say the wound has opened|phoned for advice
|writes that the cream helped|lives with a sister|lives in a flat|works as a driver|drives to work|smokes ten a day
|weighs 70 kg|measures 120 cm|died last night|passed away in march|responded to treatment|developed a rash
|developed sepsis|deteriorated overnight|desaturated to 84|spiked a fever|went to the or|went home|went for an x-ray
|took the wrong tablet|takes it with food|stopped taking it|started physiotherapy|continues on heparin
|continues to improve|continues to complain|understands the plan|agrees with this|agreed to come in
|understood and had no questions|stable|doing well|nil new|for discharge|comfortable|alert and oriented|afebrile
|unchanged|resting in bed|sitting out in chair|improving|for theatre tomorrow|on warfarin|not eating|off oxygen
|bp 120/70
""".replace("\n", "").split("|")

DONE = """
Reviewed|Examined|Saw|Seen|Visited|Called|Rang|Phoned|Telephoned|Contacted|Texted|Paged|Met|Met with|Spoke to
|Spoke with|Talked to|Discussed with|Explained to|Told|Informed|Notified|Asked|Advised|Warned|Reassured|Thanked
|Reminded|Instructed|Educated|Counseled|Consented|Assessed|Evaluated|Interviewed|Admitted|Discharged|Transferred
|Moved|Referred|Sent|Brought|Took|Escorted|Accompanied|Assisted|Helped|Bathed|Turned|Fed|Weighed|Cannulated
|Catheterized|Intubated|Extubated|Sedated|Treated|Started|Restarted|Gave|Prescribed for|Immunized|Operated on
|Scanned|Bled|Checked|Checked on|Followed up|Followed|Please call|Please see|Please review|Please ask|Please tell
|Please give|Please send|Please book|Pls review|Pls call|Can you see|Can you call|Could you check|Can we discharge
|Should I admit|Have you seen|Did anyone call|Has anyone seen|I saw|I reviewed|I met|I examined|I called
|I spoke with|I discussed this with|I have referred|I have asked|I have seen|I have told|I am seeing|I am treating
|I am worried about|I look after|I will see|I would like to refer|I operated on|We saw|We have seen|We reviewed
|We admitted|We discharged|We will call|We will see|We will follow|We are treating|We thank|We plan to discharge
|We asked|We have offered|We look forward to seeing|Thank you for referring|Thank you for seeing|Thanks for seeing
|Thank you for asking me to review|Many thanks for your letter about|I am grateful to|Happy to see|Pleased to meet
|Plan: discharge|Plan: review|Plan to see|To discuss with|Awaiting|Need to call|Trying to reach|Unable to reach
|Left a message for|Left message with|Took over from|Handed over|Handover:|Helped by|Witnessed by|Checked by
|Signed off by|Agreed with|Confirmed with|Interpreted by|Completed by|Prepared by|Read by|Reported by|Assisted by
""".replace("\n", "").split("|")

THEN = """
about the results|about the biopsy|about stopping the drug|regarding surgery|regarding discharge|re: labs|re results
|to come in today|to stop smoking|to take it daily|to take fluids|to hold the dose|to return in a week
|to call if worse|for a rash|for review|for a second opinion|for back pain|for surgery|for follow up
|for the flu shot|for dialysis|in the clinic|in clinic today|in the emergency room|in bed 4|in bay 2|in recovery
|on the ward|on rounds|on the phone|on call|by phone|at home|at the bedside|at noon|at 0300|today|this morning
|this afternoon|last night|tonight|tomorrow|yesterday|again|who is well|who has a cough|who is stable|who was upset
|who agreed|who denies pain|who will call back|with her husband|with his wife|with the interpreter|with the team
|with a fever|with chest pain|with gout|and the family|and her mother|and the nurse|and explained the risks
|and he agrees|and will follow|after the procedure|after lunch|before discharge|because of pain|due to fever
|if febrile|if possible|when stable|as planned|asap|stat|urgently|please|and start fluids|that the scan was clear
|that surgery is needed|that the test is normal|not to drive|home|off the floor|without complications
|without incident|from the ward|from theatre||||||
""".replace("\n", "").split("|")

ABOUT = """
results for|labs for|labs on|bloods for|the potassium of|the ct of|the x-ray of|mri of|scan of|films of|ecg of
|echo for|biopsy of|pathology for|slides of|culture from|specimen from|chart of|notes of|records for|referral for
|referral of|letter about|letter to|letter from|message from|message for|call from|email from|request from
|a question about|news of|the case of|case of|the care of|management of|treatment of|discharge of|admission of
|transfer of|delivery of|surgery on|the family of|the mother of|the wife of|the son of|the daughter of|parents of
|visit with|visit to|meeting with|consult for|consult on|consultation on|appointment for|appointment with|bed for
|transport for|refill for|prescription for|script for|order for|orders on|consent from|history from|collateral from
|update on|status of|concerns about|regarding|concerning|re|re:|subject:|follow up of|follow-up on|summary of
|report on|imaging of|ultrasound on|operation on|consent for|plan for|dose of warfarin for|best treatment for
|any interactions for|side effects in|safe for|contraindicated in|advice for|options for|next steps for
|should i worry about|what to do with|how is|where is|who saw|what about|when did we see
""".replace("\n", "").split("|")

OPENED = """
today|yesterday|overnight|this morning|last night|tonight|now|currently|at present|since then|since surgery
|since discharge|after surgery|after that|before that|at follow up|at review|at home|on arrival|on admission|on exam
|on day two|on monday|on the ward|in clinic|in recovery|in the ed|in summary|unfortunately|fortunately|however
|meanwhile|of note|as you know|as discussed|as planned|if|when|while|because|although|so|but|and|then|also|that
|hopefully|sadly|in my opinion|i think|i feel that|we believe|we agreed that|mother says|staff report that
|nurse states|nursing reports that|family say|note that|apparently|reportedly|per report|per staff
|according to the notes|in the meantime|in addition|three days later|by evening
""".replace("\n", "").split("|")

BEFORE = """
bed 2|bed 12|bay 3|nursing|nursing note|night shift|ward round|wr|sbar|triage|telephone call|tel call|home visit
|video visit|walk in|new patient|next patient|pt|patient|the patient|pt.|client|resident|baby|hi|hello|dear
|good morning|hey|ok|update|addendum|impression|plan|discussion|assessment|history|summary|social work|physio
|pt eval|ot|dietitian|chaplain|pharmacy|dictation|this is|my name is|i am|it is|here is|seen|reviewed|attendees
|present|informant|witness|caller|author|copied to|wife|husband|son|daughter|mother|father|sister|brother|nephew
|niece|aunt|uncle|friend|carer|partner|grandson|neighbor|her husband|his wife|her son|his daughter|their mother
|a friend|the daughter|the son|my patient|our patient|this is about
""".replace("\n", "").split("|")

NOBODY = [
    "the patient",
    "patient",
    "pt",
    "she",
    "he",
    "they",
    "this lady",
    "this man",
    "the baby",
    "her husband",
    "his wife",
    "the family",
    "the nurse",
    "the team",
    "the wound",
    "the pain",
    "the rash",
    "fever",
    "the drain",
    "everyone",
    "nobody",
    "mother",
    "the resident",
    "the consultant",
    "staff",
    "the child",
]


def framed(dice: random.Random) -> str:
    """A sentence with ``{W}`` for who or what it is about; ``{X}`` stands for another, less often."""
    kind = dice.randrange(6)
    if kind == 0:
        said = f"{{W}} {dice.choice(DID)}"
    elif kind == 1:
        said = f"{dice.choice(DONE)} {{W}} {dice.choice(THEN)}".rstrip()
    elif kind == 2:
        said = f"{dice.choice(ABOUT)} {{W}} {dice.choice(THEN + DID)}".rstrip()
    elif kind == 3:
        said = f"{dice.choice(OPENED)}{dice.choice((' ', ', '))}{{W}} {dice.choice(DID)}"
    elif kind == 4:
        before, after = dice.choice((" ", " ", " ", ": ", ", ", " - ")), dice.choice((" ", ", ", ": "))
        said = f"{dice.choice(BEFORE)}{before}{{W}}{after}{dice.choice(DID)}"
    else:
        article = dice.choice(("the ", "my ", "a ", ""))
        said = f"{dice.choice(DONE)} {article}{dice.choice(ABOUT)} {{W}} {dice.choice(THEN)}"
    if dice.random() < 0.2:
        said += f" {dice.choice(('and', 'but', 'so', ', '))} {{X}} {dice.choice(DID)}"
    said = said.strip()[0].upper() + said.strip()[1:] if dice.random() < 0.7 and said[0] != "{" else said.strip()
    return said + dice.choice((".", ".", ".", "", "?", "\n"))


def nobody(dice: random.Random) -> str:
    """What stands where a name might: one or two common words, or who is not named."""
    if dice.random() < 0.3:
        return dice.choice(NOBODY)
    said = " ".join(dice.choice(_common()) for _ in range(dice.choice((1, 1, 1, 2))))
    return said.capitalize() if dice.random() < 0.2 else said


@lru_cache(maxsize=1)
def _common() -> list[str]:
    lists = lexicon()
    return sorted({word for word in words("words.txt") if len(word) > 2 and word not in lists.names})
