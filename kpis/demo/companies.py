"""Accounts and the people there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpis.demo.accounts import Accounts
from kpis.demo.truth import REGIONS

INDUSTRIES = np.array(
    ["Software", "Manufacturing", "Financial services", "Healthcare", "Retail", "Logistics", "Education"]
)
INDUSTRY_SHARE = np.array([0.24, 0.19, 0.16, 0.14, 0.12, 0.09, 0.06])
_EMPLOYEES = np.array([45.0, 420.0, 3_400.0])

ROLES = np.array(["Economic buyer", "Champion", "Technical evaluator", "User", "Procurement"])
_ROLE_SHARE = np.array([0.24, 0.26, 0.22, 0.18, 0.10])

_FIRST = (
    "Alder Amber Apex Arbor Argo Aspen Atlantic Aurora Baltic Beacon Birch Blue Bright Canyon Cedar Central "
    "Cobalt Copper Coral Crest Delta Eagle East Elm Ember Falcon Fern Field Fjord Forge Glacier Golden "
    "Granite Green Harbour Hazel Helix High Indigo Iron Ivory Jade Juniper Keystone Lake Laurel Lunar Maple "
    "Meridian Metro Mill Mosaic Nordic North Oak Ocean Olive Onyx Orchard Pacific Pearl Pine Pioneer Polar "
    "Prairie Quartz Raven Red Ridge River Rose Royal Saffron Sage Sequoia Sierra Silver Slate Solar South "
    "Spring Stone Summit Sunrise Terra Tidal Timber Union Urban Valley Vector Violet West White Willow Wind "
    "Zenith"
).split()
_SECOND = (
    "bank bridge brook cliff dale fall field ford gate grove haven hill land line mark mere mont path peak "
    "point port shore side stone vale view ville ward water way wood works yard"
).split()
_FORM = {
    "Software": ("Systems", "Software", "Labs", "Data"),
    "Manufacturing": ("Industries", "Manufacturing", "Tools", "Works"),
    "Financial services": ("Capital", "Bank", "Insurance", "Partners"),
    "Healthcare": ("Health", "Clinics", "Care", "Pharma"),
    "Retail": ("Stores", "Retail", "Markets", "Trading"),
    "Logistics": ("Logistics", "Freight", "Transport", "Shipping"),
    "Education": ("College", "Learning", "Academy", "Institute"),
}


def account_ids(accounts: np.ndarray) -> np.ndarray:
    """Ids of accounts by number."""
    return ids("A", accounts)


def ids(prefix: str, numbers: np.ndarray) -> np.ndarray:
    """``prefix-000001`` for number 0, and so on."""
    return np.char.add(f"{prefix}-", np.char.zfill((np.asarray(numbers) + 1).astype(str), 6)).astype(object)


def table(accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """The accounts table."""
    n = len(accounts)
    industry = rng.choice(len(INDUSTRIES), n, p=INDUSTRY_SHARE)
    employees = _EMPLOYEES[accounts.segment] * np.exp(rng.normal(0, 0.6, n))
    forms = np.array([_FORM[name] for name in INDUSTRIES])
    name = np.char.add(rng.choice(_FIRST, n), rng.choice(_SECOND, n))
    name = np.char.add(np.char.add(name, " "), forms[industry, rng.integers(0, 4, n)])
    return pd.DataFrame(
        {
            "account_id": account_ids(np.arange(n)),
            "name": name,
            "industry": INDUSTRIES[industry],
            "employees": np.maximum(employees.round().astype(np.int64), 3),
            "region": np.array(REGIONS)[accounts.region],
        }
    )


def contacts(accounts: Accounts, rng: np.random.Generator) -> pd.DataFrame:
    """The contacts table: more people are known at customers and at large companies; some accounts have none."""
    known = rng.poisson(1.0 + 0.6 * accounts.segment + 0.8 * (accounts.first_order < accounts.churned))
    account = np.repeat(np.arange(len(accounts)), known)
    role = rng.choice(len(ROLES), len(account), p=_ROLE_SHARE)
    decides = (role == 0) | (rng.random(len(account)) < 0.06)
    return pd.DataFrame(
        {
            "contact_id": ids("C", np.arange(len(account))),
            "account_id": account_ids(account),
            "role": ROLES[role],
            "is_decision_maker": decides.astype(np.int64),
        }
    )
