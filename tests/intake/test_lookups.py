from __future__ import annotations

from kpis.intake.codes import match
from tests.intake.files import load, rows

DEALS = "DealSeq,Status,Value,RepSeq,AccountSeq,ProductSeq,Created On,CloseDate\n" + "".join(
    f"{n},{'Won' if n % 2 else 'Open'},10,{n % 3 + 1},{n % 4 + 1},{n % 2 + 1},2024-01-{n:02},2024-02-{n:02}\n"
    for n in range(1, 13)
)


def test_codes_join_through_chains_by_general_rules() -> None:
    """Opportunities -> accounts -> industries and territories, under names that no program has seen."""
    intake = load(
        opportunities=DEALS.replace("DealSeq", "Opportunity ID").replace("RepSeq", "Sales Rep"),
        accounts="Account Name,AccountSeq,SectorSeq,AreaSeq\nAcme,1,7,1\nBeta,2,8,2\nCeta,3,7,3\nDelta,4,8,1\n",
        sectors="Industry,SectorSeq\nBanks,7\nFarms,8\n",
        areas="Country,Territory,AreaSeq\nUS,East,1\nUS,West,2\nUS,South,3\n",
        people="User ID,Full Name,Manager\n1,Ana,Max\n2,Bo,Max\n3,Cy,Eva\n",
        products="ProductSeq,Product\n1,Core\n2,Plus\n",
    )
    assert rows(
        intake, "SELECT owner, team, segment, region, product FROM opportunities WHERE opportunity_id = '1'"
    ) == [("Bo", "Max", "Farms", "West", "Plus")]
    merged = {f.file: (f.table, f.read, f.accepted, f.merged) for f in intake.files}
    assert merged["sectors.csv"] == ("accounts", 2, 0, 2)
    assert merged["areas.csv"] == ("accounts", 3, 0, 3)
    assert merged["people.csv"] == ("owners", 3, 3, 0)


def test_the_key_is_the_column_that_the_others_refer_to() -> None:
    intake = load(
        opportunities="Opportunity ID,Status,Value,AccountSeq,Created On\n1,Open,5,11,2024-01-01\n2,Open,5,12,2024-01-01\n3,Open,5,13,2024-01-02\n",
        accounts="AccountID,AccountSeq,Account Name,Industry\nx-1,11,Acme,Banks\nx-2,12,Beta,Farms\nx-3,13,Ceta,Banks\n",
    )
    assert rows(intake, "SELECT account_id FROM accounts ORDER BY 1") == [("11",), ("12",), ("13",)]
    assert rows(intake, "SELECT segment FROM opportunities ORDER BY opportunity_id") == [
        ("Banks",),
        ("Farms",),
        ("Banks",),
    ]


def test_what_the_opportunities_bring_themselves_is_kept() -> None:
    intake = load(
        opportunities="opportunity_id,status,amount,segment,account_id,created_at\n1,open,5,Mine,11,2024-01-01\n",
        accounts="account_id,industry\n11,Theirs\n",
    )
    assert rows(intake, "SELECT segment FROM opportunities") == [("Mine",)]


def test_matching_is_exact_then_by_name_then_by_spelling_and_never_ambiguous() -> None:
    known = [("1", "GTX Pro"), ("2", "Twin"), ("3", "Twin"), ("4", None)]
    assert match(["1", "GTX Pro", "GTXPro", "gtx-pro", "Twin", "9", "4"], known) == (
        {"1": "1", "GTX Pro": "1", "GTXPro": "1", "gtx-pro": "1", "4": "4"},
        ["GTXPro", "gtx-pro"],
    )


def test_a_file_that_nothing_refers_to_is_refused_with_a_reason() -> None:
    intake = load(
        opportunities="opportunity_id,status,amount,created_at\n1,open,5,2024-01-01\n",
        adjustment="Forecast Adjustment,Blank\n-80,1\n-70,1\n",
    )
    report = next(f for f in intake.files if f.file == "adjustment.csv")
    assert report.table is None
    assert "no table has columns like these (Forecast Adjustment, Blank)" in report.reason


def test_a_data_dictionary_is_refused_as_one() -> None:
    intake = load(
        opportunities="opportunity_id,status,amount,created_at\n1,open,5,2024-01-01\n",
        dictionary="Table,Field,Description\nd,opportunity_id,the id\nd,status,the status\nd,amount,the amount\nd,created_at,when\n",
    )
    assert "data dictionary" in next(f for f in intake.files if f.file == "dictionary.csv").reason
