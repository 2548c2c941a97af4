"""What the rules find, and what of a clinical text must survive them: tables to read."""

import pytest

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.lexicon import words

CLEANER = Cleaner(bytes(32), tagger=False)

FOUND = [
    ("Call 555-123-4567 x22 today", "555-123-4567 x22", "CONTACT"),
    ("fax: (312) 555 0142", "(312) 555 0142", "CONTACT"),
    ("pager 4521", "4521", "CONTACT"),
    ("write to a.ruiz@mail.example.com please", "a.ruiz@mail.example.com", "CONTACT"),
    ("see https://example.org/p?id=7.", "https://example.org/p?id=7", "CONTACT"),
    ("from 10.1.2.33", "10.1.2.33", "CONTACT"),
    ("SSN 123-45-6789", "123-45-6789", "ID"),
    ("ssn: xxx-xx-6789", "xxx-xx-6789", "ID"),
    ("MRN: 884512", "884512", "ID"),
    ("Med Rec #: 99812", "99812", "ID"),
    ("insurance ID HP-987654", "HP-987654", "ID"),
    ("serial no. AB12345X", "AB12345X", "ID"),
    ("policy number #DB-2345678", "#DB-2345678", "ID"),
    ("VIN 1HGCM82633A004352", "1HGCM82633A004352", "ID"),
    ("a 92-year-old man", "92-year-old", "AGE"),
    ("aged 101", "101", "AGE"),
    ("ninety-two years old", "ninety-two years old", "AGE"),
    ("lives at 123 Maple St, Springfield, IL 62704 with", "123 Maple St, Springfield, IL 62704", "LOCATION"),
    ("P.O. Box 771", "P.O. Box 771", "LOCATION"),
    ("in Room 412B", "Room 412B", "LOCATION"),
    ("zip code 94103", "94103", "LOCATION"),
    ("sent to Mercy Hospital.", "Mercy Hospital", "LOCATION"),
    ("SENT TO MERCY HOSPITAL FOR PAIN", "MERCY HOSPITAL", "LOCATION"),
    ("at St. Mary's on", "St. Mary's", "LOCATION"),
    ("at the University of Michigan Health System", "University of Michigan Health System", "LOCATION"),
    ("flew in from Boston today", "Boston", "LOCATION"),
    ("Dr. Sarah P. saw her", "Dr. Sarah P.", "NAME"),
    ("dr. okonkwo saw her", "dr. okonkwo", "NAME"),
    ("Electronically signed by: Ana M. Ruiz, MD", "Ana M. Ruiz", "NAME"),
    ("Her son John came", "John", "NAME"),
    ("Patient Name: NGUYEN, THI LAN", "NGUYEN, THI LAN", "NAME"),
    ("a patient named Oluchi", "Oluchi", "NAME"),
    ("with Anna S., who", "Anna S.", "NAME"),
    ("Svensson, Anna was here", "Svensson, Anna", "NAME"),
    ("wife, Meiling, drove", "Meiling", "NAME"),
]

KEPT = [
    "Parkinson's disease, Crohn's colitis and a Foley catheter; Apgar 9 and 9.",
    "Framingham risk score of 12 %, Glasgow coma scale 15, Boston brace.",
    "BP 120/80, HR 88, RR 16, SpO2 98 %, temp 98.6, WBC 12000, platelets 250,000.",
    "Metformin 500 mg bid, Lipitor 40 mg, 5-FU, Tylenol 325 mg 1-2 tablets every 4-6 hours.",
    "ICD-10 E11.9, CPT 99213, LOINC 12345-6, SNOMED 44054006.",
    "COVID-19, HLA-B27, CA-125, CHA2DS2-VASc 4, T2-weighted, L4-L5, C5-C6, A1c 7.2.",
    "HISTORY OF PRESENT ILLNESS: no fever. PHYSICAL EXAM: lungs clear. ASSESSMENT AND PLAN:",
    "Review of Systems: Negative. Past Medical History: Type 2 Diabetes, Hypertension.",
    "The patient is a 67-year-old African American female with Stevens-Johnson syndrome.",
    "Diagnosed in 2015; since 2019 on insulin. Seen in the Emergency Department and the pain clinic.",
    "Grade 2/6 systolic murmur, strength 5/5, pain 8/10, 1/2 tablet.",
    "Take with food. Room air. Bed rest. Floor exercises. Physical Therapy twice a week.",
]


@pytest.mark.parametrize(("text", "found", "category"), FOUND)
def test_found(text: str, found: str, category: str) -> None:
    spans = CLEANER.clean(text, None, 1, None).spans
    assert [(text[each.start : each.end], each.category) for each in spans] == [(found, category)]


@pytest.mark.parametrize("text", KEPT)
@pytest.mark.parametrize("tagger", [False, True])
def test_kept(text: str, tagger: bool) -> None:
    cleaned = Cleaner(bytes(32), tagger=tagger).clean(text, None, 1, None)
    assert [text[each.start : each.end] for each in cleaned.spans] == []
    assert cleaned.text == text


def test_most_terms_of_medicine_survive_in_a_sentence() -> None:
    terms = sorted(set(words("terms.txt")))
    hit = [
        term for term in terms
        if Cleaner(bytes(32)).clean(f"The {term} sign was negative and {term} 5 mg was continued.", None, 1, None).spans
    ]  # fmt: skip
    assert len(terms) > 700
    assert len(hit) / len(terms) < 0.02, hit
