"""Every export of the list, on rows written by hand from its headers: what it must become without a mapping."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pytest
import xlsxwriter

from kpis.intake.formats import FORMATS, recognise
from tests.intake.files import load, look, rows


def test_salesforce_report_with_latin1_footer_and_groups() -> None:
    text = (
        '"Opportunity Owner","Account Name","Opportunity Name","Stage","Fiscal Period","Amount","Probability (%)","Close Date","Created Date","Next Step","Lead Source","Type"\r\n'
        '"José Núñez","Acmé","Phase 2","Proposal/Price Quote","Q1-2024","120,000.00","75","3/29/2024","1/28/2024","Send MSA","Partner","New Business"\r\n'
        '"","Globex","Renewal","Closed Won","Q4-2023","45,000.00","100","12/15/2023","11/15/2023","","Web","Existing Business"\r\n'
        '"Subtotal","","","","","165,000.00","","","","","",""\r\n'
        '"Mia Chen","Initech","Pilot","Closed Lost","Q1-2024","","0","2/2/2024","1/21/2024","","","New Business"\r\n'
        '"","Hooli","Trial","Negotiation","Q1-2024","7","50","2/2/2024","1/21/2024","","","New Business"\r\n'
        '"Subtotal","","","","","7","","","","","",""\r\n'
        '"Grand Total","","","","","165,007.00","","","","","",""\r\n'
        "\r\n\r\n"
        '"Copyright (c) 2000-2024 salesforce.com, inc. All rights reserved."\r\n"Confidential Information - Do Not Distribute"\r\n"Acmé Software"\r\n'
    )
    intake = load(report=text.encode("latin-1"))
    assert rows(intake, "SELECT name, owner, status, amount, probability, source FROM opportunities ORDER BY name") == [
        ("Phase 2", "José Núñez", "open", 120000.0, 0.75, "Partner"),
        ("Pilot", "Mia Chen", "lost", None, 0.0, None),
        ("Renewal", "José Núñez", "won", 45000.0, 1.0, "Web"),
        ("Trial", "Mia Chen", "open", 7.0, 0.5, None),
    ]
    report = intake.files[0]
    assert (report.read, report.accepted, report.rejected) == (7, 4, 3)
    assert {r.line: r.reason for r in report.rejects} == {
        4: "a total row ('Subtotal')",
        7: "a total row ('Subtotal')",
        8: "a total row ('Grand Total')",
    }
    assert "Salesforce" in report.format


def test_salesforce_export_null_ids_line_breaks_and_data_loader_case() -> None:
    head = '"ID","ISDELETED","ACCOUNTID","NAME","DESCRIPTION","STAGENAME","AMOUNT","CLOSEDATE","ISCLOSED","ISWON","CAMPAIGNID","CREATEDDATE","FISCALYEAR"\n'
    intake = load(
        opportunity=head
        + '"006000000000001AAA","0","001000000000001AAA","Generators","line one\nline two","Closed Won","16120999.999999998","2018-08-22T00:00:00.000Z","1","1","000000000000000AAA","2018-08-01T17:16:45.000Z","2015"\n'
        + '"006000000000002AAA","1","001000000000002AAA","Gone","","Closed Won","5","2018-07-06T00:00:00.000Z","1","1","","2018-07-01T17:16:45.000Z","2015"\n'
    )
    assert rows(intake, "SELECT status, amount, campaign_id, closed_at, created_at FROM opportunities") == [
        ("won", 16120999.999999998, None, date(2018, 8, 22), date(2018, 8, 1))
    ]
    assert [(r.line, r.reason) for r in intake.files[0].rejects] == [(4, "deleted in the source system")]


def test_pipedrive_in_a_comma_country() -> None:
    intake = load(
        deals="Deal - Title;Deal - Value;Deal - Currency of Value;Deal - Status;Deal - Stage;Deal - Owner;Deal - Organization;Deal - Probability;Deal - Deal created;Deal - Expected close date;Deal - Won time;Deal - Lost time;Deal - Lost reason;Deal - ID\n"
        "Groß;1.234,50;EUR;Open;Angebot;Ana;Acme;40%;13.01.2024 09:00:00;01.06.2024;;;;1\n"
        "Klein;99,90;EUR;won;Angebot;Bo;Beta;;02.01.2024 09:00:00;;05.02.2024 10:00:00;;;2\n"
        "Weg;5;EUR;Lost;Demo;Bo;Beta;;02.01.2024 09:00:00;;;06.02.2024 10:00:00;Preis;3\n"
        "Test;5;EUR;Deleted;Demo;Bo;Beta;;02.01.2024 09:00:00;;;;;4\n"
    )
    assert rows(
        intake,
        "SELECT opportunity_id, status, amount, probability, created_at, expected_close, closed_at, lost_reason, account_id FROM opportunities ORDER BY 1",
    ) == [
        ("1", "open", 1234.5, 0.4, date(2024, 1, 13), date(2024, 6, 1), None, None, "Acme"),
        ("2", "won", 99.9, None, date(2024, 1, 2), None, date(2024, 2, 5), None, "Beta"),
        ("3", "lost", 5.0, None, date(2024, 1, 2), None, date(2024, 2, 6), "Preis", "Beta"),
    ]
    assert intake.dataset.currency == "EUR"
    assert intake.files[0].rejects[0].reason == "no opportunity any more: Deleted"


def test_zoho_with_its_several_ways_to_write_a_date() -> None:
    intake = load(
        zoho='"Record Id","Deal Owner","Deal Name","Account Name","Stage","Closing Date","Amount","Probability (%)","Lead Source","Type","Created Time"\n'
        '"zcrm_31","Pat","Mill","Ridge","Proposal/Price Quote","2026-11-15","95,570.69","75","Referral","New Business","2026-09-01 14:30:00"\n'
        '"32","Pat","Cedar","HOA","Closed Won","10/01/2026","$12,400.00","100","","","2026-08-01 09:00:00"\n'
        '"33","Pat","Library","City","Closed Lost to Competition","Sep 12, 2026","8000","0","","Lost on price",""\n'
        ",,,,,,,,,,\n"
    )
    assert rows(
        intake,
        "SELECT opportunity_id, status, amount, coalesce(closed_at, expected_close) FROM opportunities ORDER BY 1",
    ) == [
        ("31", "open", 95570.69, date(2026, 11, 15)),
        ("32", "won", 12400.0, date(2026, 10, 1)),  # 10 January would be before it was created
        ("33", "lost", 8000.0, date(2026, 9, 12)),
    ]
    assert [(r.line, r.reason) for r in intake.files[0].rejects] == [(5, "an empty row")]


def test_hubspot_contacts_are_leads() -> None:
    intake = load(
        contacts='\ufeff"Record ID","First Name","Last Name","Email","Contact owner","Lead Status","Lifecycle Stage","Create Date","Original Source","Became a Marketing Qualified Lead Date","Became a Sales Qualified Lead Date","Became a Customer Date","Associated Deal IDs"\n'
        '"501","Nia","S","n@example.com","Ana","New","Opportunity","2025-01-02 08:01","Organic Search","2025-01-09 12:00","2025-01-18 16:40","","701;702"\n'
        '"502","Bo","S","b@example.com","","(No value)","Lead","2025-01-03 10:30","Paid Search","","","",""\n'
    )
    assert rows(intake, "SELECT lead_id, channel, mql_at, sql_at, status, opportunity_id FROM leads ORDER BY 1") == [
        ("501", "Organic Search", date(2025, 1, 9), date(2025, 1, 18), "New", "701"),
        ("502", "Paid Search", None, None, None, None),
    ]


ADS = {
    "google": 'Campaign report\n"September 1, 2026 - September 3, 2026"\nDay,Campaign,Campaign ID,Currency code,Cost,Impr.,Clicks,Conversions,Conv. value\n'
    '2026-09-01,"Generic, search",12345678901,USD,12.34,"1,234",7,1.00,50.00\n2026-09-02,Brand,12345678901,USD,"1,020.50","10,500",88,2.50,--\nTotal: Account,--,--,USD,"1,032.84","11,734",95,3.50,50.00\nTotal: Search,--,--,USD,"1,032.84",1,1,1,1\n',
    "google_de": 'Kampagnenbericht\n"1. September 2026 - 2. September 2026"\nTag;Kampagne;Kampagnen-ID;Währungscode;Kosten;Impr.;Klicks\n01.09.2026;Frühling;12345678901;USD;12,34;1.234;7\n02.09.2026;Frühling;12345678901;USD;1.020,50;10.500;88\nGesamt: Konto;--;--;USD;1.032,84;11.734;95\n',
    "google_fr": "Rapport sur les campagnes\n1 septembre 2026 - 2 septembre 2026\nJour;Campagne;ID de campagne;Code de la devise;Coût;Impr.;Clics\n01/09/2026;Été;12345678901;USD;12,34;1\u202f234;7\n02/09/2026;Été;12345678901;USD;1\u202f020,50;10\u202f500;88\nTotal : campagnes;--;--;USD;1\u202f032,84;11\u202f734;95\n",
    "linkedin": 'Campaign Performance Report (in UTC)\n"Report Start: 09/01/2026, Report End: 09/02/2026"\n\nStart Date (in UTC),Account Name,Campaign Name,Campaign ID,Total Spent,Impressions,Clicks,Conversions,Total Conversion Value,Currency\n'
    '9/1/2026,Acme,"Leads, EMEA",12345678901,12.34,1,1,1,1,USD\n9/2/2026,Acme,Brand,12345678901,"1,020.50",500,4,0,0,USD\nTotal,,,,"1,032.84",501,5,1,1,USD\n',
    "meta": '\ufeffReporting starts,Reporting ends,Campaign name,Campaign ID,Day,Amount spent (USD),Impressions,Link clicks,Clicks (all)\n2026-09-01,2026-09-30,"Fall, sale",12345678901,2026-09-01,12.34,1000,20,50\n2026-09-01,2026-09-30,"Fall, sale",12345678901,2026-09-02,1020.50,1000,20,50\n2026-09-01,2026-09-30,,,,1032.84,2000,40,100\n',
}


@pytest.mark.parametrize("name", sorted(ADS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_advertising_costs(name: str, encoding: str) -> None:
    text = ADS[name].lstrip("\ufeff")
    if encoding == "utf-16":  # these come with tabs
        text = text.replace(";", "\t") if ";" in text.split("\n")[2] else text
    intake = load(**{name: text.encode(encoding)})
    assert rows(intake, "SELECT period, department, category, campaign_id, amount FROM spend ORDER BY period") == [
        (date(2026, 9, 1), "marketing", "program", "12345678901", 12.34),
        (date(2026, 9, 2), "marketing", "program", "12345678901", 1020.5),
    ]
    assert intake.dataset.currency == "USD"
    assert all("total row" in r.reason for r in intake.files[0].rejects)
    assert intake.files[0].rejected >= 1


def test_ga4_with_a_long_total_row_and_two_tables() -> None:
    text = (
        "# ----------------------------------------\n# Free form\n# 20260723-20260922\n# ----------------------------------------\n\n"
        "Date,Session primary channel group (Default Channel Group),Sessions,Active users,Event count\n,,12000,9000,99999,Grand total\n20260826,Direct,5000,4525,16469\n20260825,(not set),3,3,9\n"
        "\n# ----------------------------------------\n# Pages\n# ----------------------------------------\n\nPage path and screen class,Views,Active users,Event count\n/pricing,6225,926,22063\n"
    )
    intake = load(ga4=text)
    assert rows(
        intake, "SELECT date, channel, page, sessions, users, views FROM web_traffic ORDER BY date NULLS LAST"
    ) == [
        (date(2026, 8, 25), None, None, 3, 3, None),
        (date(2026, 8, 26), "Direct", None, 5000, 4525, None),
        (None, None, "/pricing", None, 926, 6225),
    ]
    assert [(f.file, f.read, f.accepted, f.rejected) for f in intake.files] == [
        ("ga4.csv › table 1", 3, 2, 1),
        ("ga4.csv › table 2", 1, 1, 0),
    ]
    assert intake.files[0].rejects[0].reason == "a total row ('Grand total')"


def test_search_console() -> None:
    intake = load(
        queries='Top queries,Clicks,Impressions,CTR,Position\n"norway, pass",12,340,3.53%,8.2\nzero,0,420,0%,22.5\n',
        spend="period,amount\n2024-01-01,1\n",
    )
    assert rows(
        intake, "SELECT query, channel, clicks, click_rate, position FROM web_traffic ORDER BY clicks DESC"
    ) == [
        ("norway, pass", "Organic Search", 12, pytest.approx(0.0353), 8.2),
        ("zero", "Organic Search", 0, 0.0, 22.5),
    ]


def test_mailchimp_lists_and_single_reports() -> None:
    single = 'Email Campaign Report\n"Title:","Sale"\n"Subject Line:","20% Off!"\n"Delivery Date/Time:","Mon, Apr 26, 2021 12:25"\n\n"Overall Stats"\n"Total Recipients:","1000"\n"Successful Deliveries:","995"\n"Bounces:","5 (0.5%)"\n"Recipients Who Opened:","350 (35.18%)"\n"Recipients Who Clicked:","100 (10.05%)"\n"Total Unsubs:","5"\n\n"Clicks by URL"\n"URL","Total Clicks","Unique Clicks"\n"https://example.com/","150","100"\n'
    several = 'Title,Subject,List,"Send Date","Total Recipients","Successful Deliveries","Total Bounces","Unique Opens","Open Rate","Unique Clicks","Unsubscribes","Unique Id"\n"June","Hello, world",Main,"Jun 09, 2018 09:30 pm","2,110","2,100",10,610,29.05%,107,n/a,a1\n'
    intake = load(single=single, several=several)
    assert rows(
        intake,
        "SELECT campaign_id, sent_at, sent, delivered, bounced, unique_opens, unique_clicks, unsubscribes FROM emails ORDER BY sent_at",
    ) == [
        ("a1", date(2018, 6, 9), 2110, 2100, 10, 610, 107, None),
        ("Sale", date(2021, 4, 26), 1000, 995, 5, 350, 100, 5),
    ]
    assert {f.file: bool(f.reason) for f in intake.files} == {
        "single.csv › table 1": False,
        "single.csv › table 2": True,
        "several.csv": False,
    }


def test_headers_with_units_duplicates_and_odd_case() -> None:
    intake = load(
        deals='Deal ID,Deal Name,Deal Stage,"Deal Value, $","Probability, %",Created On,Notes,Notes\n1,a,Proposal,"1,200.50",35,2024-01-01,x,y\n'
    )
    assert rows(intake, "SELECT opportunity_id, amount, probability FROM opportunities") == [("1", 1200.5, 0.35)]
    assert [m.column for m in intake.files[0].mapping][-2:] == ["Notes", "Notes (2)"]


def test_rows_with_one_field_too_many_and_too_few() -> None:
    report = look(
        deals="opportunity_id,stage,amount,created_at\nA,Proposal,5,2024-01-01\nB,Acme, Inc,5,2024-01-01\nC,Proposal,5\nD,Proposal,5,2024-01-01,\n"
    )["deals.csv"]
    assert (report.read, report.accepted) == (4, 3)
    assert [(r.line, r.reason) for r in report.rejects] == [
        (3, "5 cells under a header of 4: '2024-01-01' is one too many")
    ]
    assert any("fewer cells" in w for w in report.warnings)


def test_excel_serials_months_and_null_words() -> None:
    intake = load(
        deals="opportunity_id,stage,owner,amount,created_at,expected_close,next_step\nA,Proposal,Select,5,41679,Sept'15,--\nB,Proposal,Ana,n/a,41680,Oct'15,call\n"
    )
    assert rows(
        intake,
        "SELECT opportunity_id, owner, amount, created_at, expected_close, next_step FROM opportunities ORDER BY 1",
    ) == [
        ("A", None, 5.0, date(2014, 2, 9), date(2015, 9, 1), None),
        ("B", "Ana", None, date(2014, 2, 10), date(2015, 10, 1), "call"),
    ]


def test_localised_stage_names_tell_the_outcome() -> None:
    stages = [
        "Gewonnen",
        "Verloren",
        "Gagné",
        "Perdu",
        "Cerrada ganada",
        "Cerrada perdida",
        "Verhandlung",
        "Négociation",
    ]
    text = "opportunity_id,stage,amount,created_at,Close Date\n" + "".join(
        f"{n},{s},1,2024-01-01,2024-02-01\n" for n, s in enumerate(stages)
    )
    assert [r[0] for r in rows(load(deals=text), "SELECT status FROM opportunities ORDER BY opportunity_id")] == [
        "won",
        "lost",
        "won",
        "lost",
        "won",
        "lost",
        "open",
        "open",
    ]


def test_no_signature_hides_another() -> None:
    """Each signature alone is recognised as its own format, or as one with an equal claim."""
    for form in FORMATS:
        for signature in form.signatures:
            found = recognise(sorted(signature))
            assert found is not None
            assert found.table == form.table, (form.name, found.name)


def test_every_format_names_fields_that_exist() -> None:
    from kpis.intake.fields import TABLES, columns

    for form in FORMATS:
        assert form.table in TABLES or form.reason, form.name
        known = {c.name for c in columns(form.table)} if form.table else set()
        assert {f for f in form.columns.values() if f} <= known, form.name
        assert set(form.constants) <= known, form.name


def test_joined_report_headers_and_internal_stage_names() -> None:
    intake = load(
        deals="Opportunity ID,Opportunity Owner: Full Name,Account Name: Account Name,Opportunity: Stage,Amount,Created Date,Close Date\n"
        "1,Ana,Acme,closedwon,5,2024-01-01,2024-02-01\n2,Bo,Beta,appointmentscheduled,6,2024-01-01,2024-03-01\n3,Bo,Beta,contractsent,6,2024-01-01,2024-03-01\n"
    )
    assert rows(intake, "SELECT owner, account_id, status FROM opportunities ORDER BY opportunity_id") == [
        ("Ana", "Acme", "won"),
        ("Bo", "Beta", "open"),
        ("Bo", "Beta", "open"),
    ]
    assert rows(intake, "SELECT stage FROM stages ORDER BY position") == [
        ("appointmentscheduled",),
        ("contractsent",),
        ("closedwon",),
    ]


def test_activities_keep_only_the_ids_of_opportunities_and_leads() -> None:
    intake = load(
        task="Id,WhatId,WhoId,ActivityDate,TaskSubtype,OwnerId\n00T000000000001AAA,006000000000001AAA,00Q000000000001AAA,2024-01-01,Call,005000000000001AAA\n00T000000000002AAA,001000000000001AAA,003000000000001AAA,2024-01-02,Call,005000000000001AAA\n"
    )
    assert rows(intake, "SELECT opportunity_id, lead_id FROM activities ORDER BY occurred_at") == [
        ("006000000000001AAA", "00Q000000000001AAA"),
        (None, None),
    ]


DYNAMICS = """\
(Do Not Modify) Opportunity,(Do Not Modify) Row Checksum,(Do Not Modify) Modified On,Topic,Potential Customer,Est. Close Date,Est. Revenue,Probability,Rating,Status,Status Reason,Pipeline Phase,Owner,Created On,Actual Close Date
a-1,x==,45306.5,Pumps,Acme,45352,1200.5,40,Hot,Open,In Progress,2-Develop,Ana,45306,
a-2,y==,45306.5,Valves,Beta,45352,99,100,Hot,Won,Won,1-Qualify,Bo,45306,45350
a-3,z==,45306.5,Twice,Beta,45352,99,0,Cold,Lost,Error/Duplicate,1-Qualify,Bo,45306,45350
"""


def test_a_dynamics_workbook_with_hidden_columns_and_serial_dates() -> None:
    buffer = BytesIO()
    with xlsxwriter.Workbook(buffer, {"strings_to_numbers": True}) as book:
        sheet = book.add_worksheet("Open Opportunities")
        for number, line in enumerate(DYNAMICS.splitlines()):
            sheet.write_row(number, 0, line.split(","))
        sheet.set_column(0, 2, None, None, {"hidden": True})
        # a date by its format; the others are by their numbers alone
        sheet.write_number(1, 5, 45352, book.add_format({"num_format": "m/d/yyyy"}))
    intake = load(opportunities__xlsx=buffer.getvalue())
    # Excel's day 45306 is 2024-01-15, 45350 is 2024-02-28, 45352 is 2024-03-01
    assert rows(
        intake,
        "SELECT opportunity_id, name, account_id, status, stage, amount, probability, owner, created_at, expected_close, closed_at FROM opportunities ORDER BY 1",
    ) == [
        ("a-1", "Pumps", "Acme", "open", "2-Develop", 1200.5, 0.4, "Ana", date(2024, 1, 15), date(2024, 3, 1), None),
        # the stage of a won deal still says "1-Qualify": its status wins
        ("a-2", "Valves", "Beta", "won", "1-Qualify", 99.0, 1.0, "Bo", date(2024, 1, 15), date(2024, 3, 1), date(2024, 2, 28)),
    ]  # fmt: skip
    report = intake.files[0]
    assert report.format == "Dynamics 365 opportunities, XLSX"
    assert [r.reason for r in report.rejects] == ["no opportunity any more: Error/Duplicate"]


def test_search_console_by_page() -> None:
    report = look(pages="Top pages,Clicks,Impressions,CTR,Position\nhttps://x.example/a,12,340,3.53%,8.2\n")[
        "pages.csv"
    ]
    assert (report.table, report.accepted) == ("web_traffic", 1)
    assert {m.column: m.field for m in report.mapping}["Top pages"] == "page"
