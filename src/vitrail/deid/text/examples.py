"""Sentences with identifiers, made for training: many ways to say who, when and where, and none to learn by heart.

Slots stand in braces. What fills a slot is drawn from the lists that ship and from invented words, so that the tagger
learns what stands about a name rather than names. Sentences without slots, full of capitals that identify nobody, are
as many as those with slots.
"""

import random
from collections.abc import Callable

from vitrail.deid.text.frames import framed, nobody
from vitrail.deid.text.inventions import ORIGINS, invented
from vitrail.deid.text.lexicon import listed, names_of, places, words

SENTENCES = """
{N} is a {a}-year-old {sex} who presents with {sx}.
{N} presented to {H} on {D} with {sx}.
{N}, a {a}-year-old {sex}, was admitted to {H} on {D}.
The patient, {N}, reports {sx} for three days.
Patient {N} was seen by {DR} in clinic on {D}.
Patient: {N}
Patient Name: {NI}
Name: {NI}   DOB: {D}   MRN: {I}
Pt {N} states that her {rel} {F} helps at home.
Her {rel}, {F}, was at the bedside.
His {rel} {F} lives in {C}.
{rel} ({F}) called from {P} about {sx}.
Spoke with {F} today regarding {drug}.
{F} said that {he} has been taking {drug} daily.
{F} denies {sx}.
{F} has a history of {dis}.
{F}'s {rel} reports {sx}.
{T} {S} returns for follow up of {dis}.
{T} {S} is doing well on {drug}.
{T} {S} was started on {drug} for {dis}.
I saw {T} {S} today for {dis}.
I discussed the plan with {T} {S} and {his} {rel}.
{DR} recommended {drug}.
{DR} will follow the patient for {dis}.
Case discussed with {DR} of cardiology.
Referred by {DR} for evaluation of {dis}.
Consult requested by {DR}.
Thank you, {DR}, for referring {N}.
Dear {DR},
Sincerely, {N}, MD
Dictated by {N}, M.D.
Electronically signed by {N}, RN on {D}
Attending: {N}
PCP: {N}
Surgeon: {N}, MD   Assistant: {N}, PA-C
cc: {DR}; {DR}
Nurse {S} notified at 0300.
RN {F} {S} gave {drug}.
per {S}, RN, the patient slept well.
Admitted from {H} after {sx}.
Transferred from {H} to {H} for further care.
She was last seen at {H} in {C}.
She was born in {C} and moved to {C} in 1987.
He lives in {C}, {ST} with his {rel}.
He lives at {AD}.
Address: {AD}
Home address is {AD}, phone {P}.
Works at {H} as a nurse.
Works for {ORG} as a driver.
Social: retired teacher from {C}.
Discharged to {H} on {D}.
Follow up at {H} on {D} at 10 am.
The biopsy of {D} was read at {H}.
CT from {H} dated {D} shows {dis}.
On {D} she was started on {drug}.
MRN: {I}
MRN {I}, account {I}
Medical record number {I}.
SSN {I}. Insurance ID {I}.
Accession {I}
Contact {N} at {P}.
Call {P} with any questions.
Pager {P}
Email: {E}
Emergency contact: {N} ({rel}), {P}
Interpreter {F} was present.
Guidelines for {dis} in a {a}-year-old {sex}, {FI}, seen at {H} on {D} (MRN: {I})?
What is the best treatment of {dis} for {N}, treated at {H} on {D}?
Is {drug} safe for {FI}, who was admitted to {H} on {D}?
best tx for pt w/ hx of {dis}, {FI}, seen at {H} {D}
What are the options for a patient named {N} from {C}, {a} yo, with {dis}?
{dis} in {FI}, {a}yo {sex}, living in {C}
Side effects of {drug} in {N}, phone {P}?
pt {FI} s/p surgery at {H}, MRN {I}, worried about {drug}
as per {N}'s case at {H}
Records of {N}, {H}, {D}.
{N} and {N} were both present.
{NI} {I} {D}
{N} was accompanied by {his} {rel} {N}.
Daughter {F} and son {F} are supportive.
Family: wife {F}, children {F}, {F} and {F}.
Mother's name is {F}.
Seen with {F} {S}, medical student.
Baby boy {S} was born at {H} on {D}.
Baby girl {F} weighed 3.2 kg.
{S}, {F}
{N} DOB {D}
RE: {N}
To: {N}   From: {N}
Hi {F}, your {lab} result is back.
{F}, please take {drug} twice daily.
{F} enjoys gardening and walks with {F}.
The police officer, {T} {S}, brought the patient from {C}.
Her employer, {ORG}, was notified.
Travelled to {C} and {C} last month.
Immigrated from {C}.
Veteran, followed at {H}.
Assessment: {N} is a {a}-year-old {sex} with {dis}.
{N} tolerated the procedure well.
{N} was extubated and transferred to the ICU.
At {H}, {N} was found to have {dis}.
Per {N}'s {rel}, {he} fell in {C} on {D}.
""".strip().splitlines()

CLEAN = """
Patient denies {sx}, fever, chills or weight loss.
{dis} treated with {drug} {dose} daily.
History of {dis} and {dis}.
{drug} {dose} po bid, {drug} {dose} prn.
Past Medical History: {dis}, {dis}, hypertension.
Assessment and Plan:
{HEAD}: {dis}.
{HEAD}: No acute distress. Lungs clear. Abdomen soft.
{EPO} sign negative. {EPO} test positive.
{EPO} disease and {EPO} syndrome were considered.
{EPO} score of {n}; {EPO} criteria not met.
{EPO} catheter in place, draining clear urine.
A {EPO} procedure was discussed with the surgeon.
{lab} {n}, {lab} {n}.{n}, BP {bp}, HR {n}.
Continue {drug}. Start {drug} {dose}.
What are the guidelines for {drug} in a {a}-year-old {sex} with {dis}?
Is {drug} or {drug} better for {dis} with a {EPO} score of {n}?
What are the side effects of {drug} in elderly patients diagnosed in 2021?
According to the {ACR} guidelines, {drug} is first line for {dis}.
The {ACR} trial and the {EPO} Heart Study support this.
She takes Vitamin D, Fish Oil and {drug}.
Allergies: Penicillin, Sulfa, {drug}.
General: Well-developed, well-nourished {sex} in no distress.
HEENT: Normocephalic. Neck supple. Chest clear.
The patient is an {a}-year-old African American {sex}.
The Emergency Department physician was notified.
Discharge to home. Follow up with Primary Care in two weeks.
Physical Therapy and Occupational Therapy consulted.
Diagnosis: {EPO} Disease, Type 2 Diabetes, Chronic Kidney Disease Stage 3.
IMPRESSION: 1. {dis}. 2. {dis}.
Gram stain grew Staphylococcus Aureus and Escherichia Coli.
Medicare patient, English speaking, Catholic.
Take Two Tablets By Mouth Every Morning.
DIAGNOSES: {dis}; status post {EPO} fusion.
ICD-10 E11.9, I10, CPT 99213.
Ejection fraction {n} %. Grade {n}/6 systolic murmur.
Last year he was diagnosed with {dis}.
Since 2019 she has had {dis}.
He smoked 1 pack per day for {n} years.
{drug}, {drug} and {drug} were continued.
{drug} {n}/{n} mg tablet, one daily
He uses {drug} shampoo and {drug} cream on his skin.
Current Medications: {drug}, {drug}, {drug} {dose}.
{EPO}-{EPO} test negative. Positive {EPO} sign.
She stopped {drug} because of nausea, then tried {drug}.
{drug}: take one at night. {drug}: as needed.
Family history of {EPO} disease in her {rel}.
Wound measured {n} x {n} cm; {n}-0 Vicryl suture.
T{n} and L{n} vertebrae, C5-C6 disc.
Review of Systems: Negative except as above.
""".strip().splitlines()

SYMPTOMS = (
    "chest pain|shortness of breath|nausea|back pain|headache|fever|dizziness|cough|abdominal pain|"
    "leg swelling|a fall|fatigue|rash"
)
DISEASES = (
    "hypertension|type 2 diabetes|COPD|atrial fibrillation|asthma|breast cancer|CHF|CKD|"
    "rheumatoid arthritis|depression|migraine|Crohn's disease|Parkinson's disease|pneumonia|lupus|"
    "Hodgkin's lymphoma|stroke|MS|HIV|Alzheimer's|gout|anemia|DVT|Graves disease|multiple myeloma|"
    "GERD|hepatitis C"
)
RELATIONS = (
    "son|daughter|wife|husband|mother|father|brother|sister|friend|neighbor|niece|nephew|partner|"
    "aunt|grandson|cousin|caregiver"
)
HEADINGS = (
    "History of Present Illness|Physical Exam|Medications|Social History|Family History|Assessment|"
    "Plan|Hospital Course|HPI|Review of Systems|Labs|Impression|Procedure|Chief Complaint|"
    "Discharge Medications|General|Neurologic|Cardiovascular|Past Surgical History"
)
ACRONYMS = "AHA|ADA|ACC|GOLD|NICE|JNC|ESC|KDIGO|IDSA|NCCN|CDC|WHO|GUSTO|SPRINT|ACR|USPSTF"
LABS = "WBC|Hgb|sodium|potassium|creatinine|BUN|glucose|A1c|TSH|INR|troponin|platelets"
KINDS = (
    "Hospital|Clinic|Medical Center|General Hospital|Health Center|Memorial Hospital|Nursing Home|"
    "Rehab|Children's Hospital|Medical Group|Hospice|Health|Med Center|General|"
    "Regional Medical Center|University Hospital|Family Practice|Cancer Center|Pharmacy"
)
WORKS = (
    "Logistics|Industries|Foods|& Sons|Inc|Elementary School|High School|Bakery|Construction|"
    "University|Bank|Motors|Church"
)
MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December|Jan|"
    "Feb|Mar|Apr|Jun|Jul|Aug|Sept|Oct|Nov|Dec"
)

Piece = tuple[str, str]
"""A text and its label."""


def sentence(dice: random.Random) -> list[Piece]:
    """One sentence in pieces; now and then all of it, or its names alone, in capitals or in lower case."""
    sex = dice.choice("mf")
    template = framed(dice) if dice.random() < 0.5 else dice.choice(SENTENCES if dice.random() < 0.6 else CLEAN)
    pieces: list[Piece] = []
    for at, part in enumerate(template.replace("}", "{").split("{")):
        pieces.append((part, "O") if at % 2 == 0 else fill(part, sex, dice))
    return _in_case([(text, label) for text, label in pieces if text], dice.random())


def _in_case(pieces: list[Piece], share: float) -> list[Piece]:
    """As they are; 15 % in capitals and 15 % in lower case; of 10 % and 6 % only the names."""
    whole, names = share < 0.30, share < 0.46
    change: Callable[[str], str] = str.upper if share < 0.15 or 0.30 <= share < 0.40 else str.lower
    return [(change(text) if whole or (names and label == "NAME") else text, label) for text, label in pieces]


def fill(slot: str, sex: str, dice: random.Random) -> Piece:
    """What stands in a slot, with its label."""
    if slot in ("W", "X"):
        return (_who(sex, dice), "NAME") if dice.random() < 0.55 else (_what(dice), "O")
    if slot in _PLAIN:
        return dice.choice(_PLAIN[slot].split("|")), "O"
    if slot in _MADE:
        text, label = _MADE[slot]
        return text(sex, dice), label
    return {"sex": {"m": "male", "f": "female"}, "he": {"m": "he", "f": "she"}, "his": {"m": "his", "f": "her"}}[slot][
        sex
    ], "O"


def given(sex: str, dice: random.Random) -> str:
    """A given name, every second time an invented one."""
    return invented(dice) if dice.random() < 0.5 else dice.choice(names_of(f"{dice.choice(ORIGINS)}:{sex}"))


def surname(dice: random.Random) -> str:
    """A surname, every second time an invented one, sometimes a double one."""
    one = invented(dice) if dice.random() < 0.5 else dice.choice(names_of(f"{dice.choice(ORIGINS)}:s"))
    return f"{one}-{surname(dice)}" if dice.random() < 0.04 else one


def _who(sex: str, dice: random.Random) -> str:
    """Somebody as a sentence names them: by one name more often than by more."""
    return dice.choice((full, given, lambda _, dice: surname(dice)))(sex, dice)


def _what(dice: random.Random) -> str:
    """What is nobody: common words, a drug, a disease, a symptom, a name in medicine."""
    return dice.choice((nobody, nobody, nobody, nobody, _drug, _term, _illness))(dice)


def _illness(dice: random.Random) -> str:
    return dice.choice(f"{SYMPTOMS}|{DISEASES}|{LABS}".split("|"))


def full(sex: str, dice: random.Random) -> str:
    """A name in one of its many forms."""
    first, last = given(sex, dice), surname(dice)
    initial = dice.choice("ABCDEFGHJKLMNPRSTVW")
    forms = (f"{first} {last}",) * 6 + (
        f"{first} {initial}. {last}",
        f"{first[0]}. {last}",
        f"{last}, {first}",
        f"{first} {initial}.",
        first,
        last,
        f"{first} {given(sex, dice)} {last}",
        f"{first[0]}.{last[0]}.",
        f"{last} {first}",
        f"{first} {last} {surname(dice)}",
    )
    return dice.choice(forms)


def day(_: str, dice: random.Random) -> str:
    """A date in one of its layouts."""
    m, d, y = dice.randint(1, 12), dice.randint(1, 28), dice.randint(1930, 2026)
    month = dice.choice(MONTHS.split("|"))
    ordinal = {1: "st", 2: "nd", 3: "rd"}.get(d if d < 20 else d % 10, "th")
    forms = (
        f"{m}/{d}/{y}",
        f"{m:02d}/{d:02d}/{y}",
        f"{m}/{d}/{y % 100:02d}",
        f"{y}-{m:02d}-{d:02d}",
        f"{month} {d}, {y}",
        f"{month} {d}{ordinal}, {y}",
        f"{d} {month} {y}",
        f"{d}-{month[:3]}-{y}",
        f"{month} {d}",
        f"{month} {d}{ordinal}",
        f"{month} {y}",
        f"{m:02d}.{d:02d}.{y}",
        f"the {d}{ordinal} of {month}",
    )
    return dice.choice(forms)


def place(_: str, dice: random.Random) -> str:
    """A town, or an invented one."""
    endings = dice.choice(
        ("ton", "ville", "field", " Falls", " Springs", "burg", "wood", " City", "ham", "ford", " Heights")
    )
    return dice.choice(places("city")) if dice.random() < 0.6 else invented(dice) + endings


def hospital(sex: str, dice: random.Random) -> str:
    """An institution of health, named after a place, a person or a saint, or one of those that are known."""
    name = dice.choice(
        (
            place(sex, dice),
            surname(dice),
            f"St. {given(sex, dice)}'s",
            f"St. {given(sex, dice)}",
            dice.choice(places("surrogate")),
            "Mercy",
            "Sacred Heart",
            f"{surname(dice)} {surname(dice)}",
        )
    )
    if dice.random() < 0.25:
        return dice.choice(places("facility"))
    kind = dice.choice(KINDS.split("|"))
    return name if dice.random() < 0.15 else f"{name} {kind.lower() if dice.random() < 0.1 else kind}"


def identifier(_: str, dice: random.Random) -> str:
    """A number of a record, an account or a policy."""
    digits = "".join(dice.choice("0123456789") for _ in range(dice.randint(5, 10)))
    letters = "".join(dice.choice("ABCDEFGHJKLMNPRSTUVWX") for _ in range(dice.randint(1, 4)))
    return dice.choice(
        (
            digits,
            digits,
            f"{letters}-{digits}",
            f"{letters}{digits}",
            f"#{digits}",
            f"{digits[:3]}-{digits[3:5]}-{digits[5:]}",
            f"{digits}-{letters}",
        )
    )


def phone(_: str, dice: random.Random) -> str:
    """A telephone number."""
    a, b, c = dice.randint(201, 989), dice.randint(200, 999), dice.randint(0, 9999)
    return dice.choice(
        (
            f"{a}-{b}-{c:04d}",
            f"({a}) {b}-{c:04d}",
            f"{a}.{b}.{c:04d}",
            f"{b}-{c:04d}",
            f"+1 {a} {b} {c:04d}",
            f"x{c:04d}",
        )
    )


_ROADS = ("Street", "St", "Ave", "Road", "Drive", "Lane", "Blvd", "Court")


def address(sex: str, dice: random.Random) -> str:
    """A street, sometimes with its town."""
    road = dice.choice((surname(dice), invented(dice), "Oak", "Maple", "Main", "Elm", "Park"))
    street = f"{dice.randint(1, 9999)} {road} {dice.choice(_ROADS)}"
    return dice.choice(
        (
            street,
            f"{street}, {place(sex, dice)}",
            f"{street}, {place(sex, dice)}, {dice.choice(('IL', 'NY', 'TX', 'CA', 'OH'))} {dice.randint(10000, 99999)}",
        )
    )


def _doctor(sex: str, dice: random.Random) -> str:
    return f"Dr. {dice.choice((surname(dice), full(sex, dice)))}"


def _inverted(sex: str, dice: random.Random) -> str:
    return dice.choice(
        (
            f"{surname(dice)}, {given(sex, dice)}",
            f"{surname(dice).upper()}, {given(sex, dice).upper()}",
            full(sex, dice),
        )
    )


def _initialled(sex: str, dice: random.Random) -> str:
    return f"{given(sex, dice)} {dice.choice('ABCDEFGHJKLMNOPQRSTVWYZ')}."


def _mail(sex: str, dice: random.Random) -> str:
    host = f"{dice.choice(('mail', 'clinic', 'example'))}.{dice.choice(('com', 'org', 'net'))}"
    return f"{given(sex, dice)}.{surname(dice)}@{host}".lower()


def _title(sex: str, _: random.Random) -> str:
    return "Mr." if sex == "m" else "Mrs."


_MADE: dict[str, tuple[Callable[[str, random.Random], str], str]] = {
    "N": (full, "NAME"),
    "F": (given, "NAME"),
    "FI": (_initialled, "NAME"),
    "NI": (_inverted, "NAME"),
    "DR": (_doctor, "NAME"),
    "T": (_title, "NAME"),
    "S": (lambda _, dice: surname(dice), "NAME"),
    "H": (hospital, "LOCATION"),
    "C": (place, "LOCATION"),
    "AD": (address, "LOCATION"),
    "ST": (lambda _, dice: dice.choice(places("state")), "LOCATION"),
    "D": (day, "DATE"),
    "I": (identifier, "ID"),
    "P": (phone, "CONTACT"),
    "E": (_mail, "CONTACT"),
    "ORG": (lambda _, dice: f"{surname(dice)} {dice.choice(WORKS.split('|'))}", "LOCATION"),
    "a": (lambda _, dice: str(dice.randint(1, 89)), "O"),
    "n": (lambda _, dice: str(dice.randint(1, 99)), "O"),
    "bp": (lambda _, dice: f"{dice.randint(90, 180)}/{dice.randint(50, 100)}", "O"),
    "dose": (lambda _, dice: f"{dice.choice((5, 10, 20, 40, 81, 500))} mg", "O"),
    "drug": (lambda _, dice: _drug(dice), "O"),
    "EPO": (lambda _, dice: _term(dice), "O"),
}
_PLAIN = {"sx": SYMPTOMS, "dis": DISEASES, "rel": RELATIONS, "HEAD": HEADINGS, "ACR": ACRONYMS, "lab": LABS}
_TERMS = list(words("terms.txt"))
_EPONYMS, _DRUGS = _TERMS[: _TERMS.index("Tylenol")], _TERMS[_TERMS.index("Tylenol") : _TERMS.index("Medicare")]
_ENDINGS = sorted(
    listed("""
    mab nib pril sartan olol statin azole cillin mycin vir parin gliptin flozin tidine prazole pam zine
    oxetine triptan dipine
""")
)


def _term(dice: random.Random) -> str:
    return dice.choice(_EPONYMS)


def _drug(dice: random.Random) -> str:
    """A drug of the list, or an invented one with an ending that drugs have, capital or not."""
    ending = dice.choice(_ENDINGS) if dice.random() < 0.5 else ""
    name = dice.choice(_DRUGS) if dice.random() < 0.4 else invented(dice).lower() + ending
    return name.capitalize() if dice.random() < 0.5 else name.lower()
