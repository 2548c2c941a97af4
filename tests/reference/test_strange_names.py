"""Names of ten origins that are in no list, in sentences of another shape than those that the tagger learned from.

The names and sentences were written for this test and nothing was trained on them. Sentences come in capitals and in
lower case, too, where a name is hardest to tell. What is reached here is no evidence for the notes of a site.
"""

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from vitrail.deid.text.clean import Cleaner
from vitrail.deid.text.lexicon import lexicon

NAMES = {
    "anglo": (
        "Thaddeus Linnet Corwin Isolde Peregrine Lettice Barnaby Clemency Aldous Rosalba Evander Tamsin",
        "Thistlewood Blenkinsop Wigglesworth Ormerod Cattermole Fotheringay Pobjoy Haythornthwaite "
        "Snodgrass Twelvetrees Quennell Birtwhistle",
    ),
    "hispanic": (
        "Eulogio Nicanora Hermelinda Fulgencio Remedios Anacleto Saturnina Casimiro Primitivo Obdulia "
        "Ezequiel Maricruz",
        "Zumalacarregui Arizmendi Goyeneche Bustinza Echegoyen Urrutia Tlaxcala Oyarzabal Villavicencio "
        "Altamirano Recinos Xicotencatl",
    ),
    "chinese": (
        "Xiuying Zhongwei Yuanqing Ruoxi Haoyu Mengyao Guozhong Shuqin Chunhua Zixuan Weizhen Qiaoling",
        "Ouyang Situ Shangguan Xiahou Zhuge Dongfang Gongsun Huangfu Murong Linghu Zhangsun Yuwen",
    ),
    "indian": (
        "Jagdishwar Sulochana Venkatramana Parameshwari Harikrishna Mrinalini Thirumalai Gurpreet "
        "Sukhwinder Padmavathi Ramachandra Chandrika",
        "Subrahmanyan Chattopadhyaya Ramanathapuram Bhattacharjee Thiruvengadam Vishwanathan Deshmukhya "
        "Kulshreshtha Gopalaswamy Muthuraman Tendulkarya Ghoshdastidar",
    ),
    "arabic": (
        "Abdulqadir Rukhsana Shamsuddin Khawla Mutawakkil Zulaykha Nuruddin Ruqayya Hudhayfa Sumayya "
        "Izzeddin Bouthaina",
        "Alhumaidi Qahtani Benchekroun Shahristani Tabatabai Zamakhshari Boumediene Alghamdi Dhahabi "
        "Mutairi Belhadj Khawarizmi",
    ),
    "vietnamese": (
        "Thuytrang Quocdung Bichngoc Huuphuoc Kimngan Vanthanh Ngocdiep Xuantruong Thanhtruc Baokhanh "
        "Hoangyen Minhchau",
        "Tonnu Nghiem Quach Khuat Lieu Doanh Trieu Giap Phung Thach Vuong Uong",
    ),
    "korean": (
        "Kyungsook Seunghwan Hyunjoo Byungchul Eunkyung Taehyung Soonbok Yeongcheol Myeonghee Jaehyuk "
        "Gyeongmi Changmin",
        "Namgung Hwangbo Seomun Dokgo Jegal Sunwoo Sagong Byeon Pyeon Tak Mok Eun",
    ),
    "african": (
        "Chukwuemeka Nomvula Olumuyiwa Thandiwe Kwabena Zodwa Babajide Nkechinyere Mthunzi Ayotunde Sipho Uzoamaka",
        "Okechukwu Nkemdirim Mkhwanazi Owusuansah Ogunbanjo Tshabalala Chimamanda Adewusi Mutombo Ngcobo "
        "Wanjiku Onyekachi",
    ),
    "slavic": (
        "Radomir Zdzislawa Vsevolod Bozhena Miroslava Kazimierz Svyatoslav Lyudmyla Dragoslav Yevgeniya "
        "Bronislav Zlatica",
        "Szczepaniak Voznesensky Hrushevsky Krzyzanowski Bogoljubov Przybylski Zabolotny Dzhugashvili "
        "Vukasinovic Brezhnyeva Mykhailenko Chrzanowska",
    ),
    "greek": (
        "Aristarchos Polyxeni Themistoklis Chrysanthi Epaminondas Evgenia Anaxagoras Paraskevi Leonidhas "
        "Stamatia Kallirroi Thrasyvoulos",
        "Papathanassiou Hatzidakis Triantafyllou Kolokotronis Venizelou Mavrogordatos Theodorakopoulos "
        "Xenakis Sklavounos Paparizou Karaiskakis Tsatsaronis",
    ),
}
"""Given names and surnames by origin."""

SENTENCES = """
Bleeped by the ward about {L}, who pulled out his line.
{L} stable overnight, urine output good.
{N} attended alone and was well dressed with good eye contact.
Wound of {F} reviewed, clean and dry, sutures out in five days.
Care plan agreed with {F} and the community team.
{F} reports itching after the second dose.
{F} tolerated feeds and was weaned to room air.
Spoken to {L} about advance directives, wishes full treatment.
pt {F} called, wants earlier appt, still dizzy
Pt {N} seen and examined, agree with resident note.
Pt {N} seen in follow-up, wound healing well.
Pt. {L} refuses insulin this evening.
pls review {L}, spiking temps and rigors
ok to discharge {N} today?
any contraindication to beta blockers for {F} given her asthma?
draft a letter to the school about {F} and his inhaler
look up the last hba1c of {N} and compare with today
does {L} need antibiotic prophylaxis before dental work
{F} here, just wondering if my results are in
Good afternoon, {N} asking about side effects of the new tablet.
I am writing about {N}, whom I saw at your request for back pain.
We were delighted to see {F} looking so well.
Many thanks for sending {N}, who has had palpitations since spring.
I have explained to {F} that surgery is not indicated.
I will see {N} again in three months.
I have asked {L} to keep a headache diary.
We plan to bring {F} in for a sleep study.
{N} underwent a laparoscopic cholecystectomy without incident.
{L} required two units of blood.
{L} made an uneventful recovery and was mobile by day three.
{N} died peacefully with the family at the bedside.
{N} was found unresponsive at home.
{L} appears comfortable and is oriented.
{F} continues to lose weight despite supplements.
{N} complains of burning on urination.
{N} has poorly controlled hypertension.
{F} works nights and sleeps badly.
Ultrasound performed on {N} shows gallstones.
Indication: follow up of nodule in {L}.
Discussed with {L} at the time of reporting.
Findings relayed to {F} who understood.
Chaperone present was {F}.
Accompanied today by {F}, who drives.
Collateral from {N}: no prior episodes.
Emergency contact updated to {N}.
Nephew {F} holds power of attorney.
Next patient is {N}, new paragraph, chief complaint knee pain.
Continuing with {L} comma the abdomen is soft.
Gave {F} a leaflet on low salt diet.
Advised {L} to avoid alcohol while on metronidazole.
Referred {F} to podiatry.
Reassured {N} that the lump is a lipoma.
Escorted {F} to the toilet, steady gait.
Repositioned {L} every two hours, skin intact.
Transfused {L} with platelets.
Chased the biopsy report for {N}.
Booked {F} for a colonoscopy.
Vaccinated {F} against shingles.
While waiting, {L} became short of breath.
Before surgery {F} was anxious and tearful.
""".strip().splitlines()

Names = dict[str, str]
CASES: dict[str, Callable[[str, Names], str]] = {
    "mixed": lambda text, names: text.format_map(names),
    "capitals": lambda text, names: text.format_map(names).upper(),
    "lower case": lambda text, names: text.format_map(names).lower(),
    "the name in capitals": lambda text, names: text.format_map({slot: name.upper() for slot, name in names.items()}),
    "the name in lower case": lambda text, names: text.format_map({slot: name.lower() for slot, name in names.items()}),
}


def strange(names: str) -> list[str]:
    """Those that are in no list."""
    lists = lexicon()
    listed = lists.names | lists.common | lists.terms
    return [name for name in names.split() if name.lower() not in listed]


def found(text: str, names: tuple[str, str], cleaner: Cleaner) -> bool:
    """Whether every letter of each name in the text is in some span."""
    hidden = {at for span in cleaner.clean(text, None, 1, None).spans for at in range(span.start, span.end)}
    wanted = [match for name in names for match in re.finditer(rf"\b{name}\b", text, re.IGNORECASE)]
    return bool(wanted) and all(at in hidden for match in wanted for at in range(*match.span()))


def shares(case: str, times: int, levers: tuple[str, ...] = ("dictionaries", "rules", "tagger")) -> dict[str, float]:
    """By origin, the share of sentences in which the whole name is found."""
    cleaner, out = Cleaner(bytes(32), levers=levers), {}
    for number, (origin, (given, surnames)) in enumerate(NAMES.items()):
        dice, hits = random.Random(number), Counter[bool]()
        firsts, lasts = strange(given), strange(surnames)
        for _ in range(times):
            first, last = dice.choice(firsts), dice.choice(lasts)
            text = CASES[case](dice.choice(SENTENCES), {"N": f"{first} {last}", "F": first, "L": last})
            hits[found(text, (first, last), cleaner)] += 1
        out[origin] = hits[True] / times
    return out


LEAST = {"mixed": 0.90, "capitals": 0.7, "lower case": 0.6, "the name in capitals": 0.75, "the name in lower case": 0.6}


@pytest.mark.parametrize("case", CASES)
def test_strange_names_are_found(case: str) -> None:
    by_origin = shares(case, 12)
    assert sum(by_origin.values()) / len(by_origin) >= LEAST[case], by_origin


def test_the_control_without_the_tagger_misses_most() -> None:
    by_origin = shares("mixed", 12, ("dictionaries", "rules"))
    assert sum(by_origin.values()) / len(by_origin) < 0.6


@pytest.mark.slow
def test_strange_names_of_ten_origins() -> None:
    """Prints the table of the reference page: 200 sentences of each origin in each case."""
    for case in CASES:
        by_origin = shares(case, 200)
        print(case, f"{sum(by_origin.values()) / len(by_origin):.3f}", by_origin)
        assert sum(by_origin.values()) / len(by_origin) >= LEAST[case]
