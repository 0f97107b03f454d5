"""Mobile numbers: parsed leniently, stored as E.164, and masked in logs."""

import functools
import re

from quotes.errors import ParameterError

# The regions with a numbering plan (ISO 3166-1, and AC, TA and XK). They are listed here because settings are checked
# at every start, while the library that knows them is only imported when somebody subscribes; a test compares the two.
REGIONS = frozenset(
    re.findall(
        r"[A-Z]{2}",
        """
        AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY
        BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ
        FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR
        IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH
        MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK
        PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA
        TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
        """,
    )
)

WRONG = "is not a mobile number; write it with its country code, such as 919028012345 or +919028012345"

_WRITTEN = re.compile(r"\+?[0-9][0-9 ().-]{1,40}")  # ASCII digits only, as everywhere


def e164(written: str, countries: frozenset[str] = frozenset()) -> str:
    """Normalize a mobile number to `+`, country code and subscriber number (ITU-T E.164).

    Args:
        written: The number with its country code, with or without `+`; spaces, dots, dashes and brackets are ignored.
        countries: ISO 3166-1 codes of the countries whose numbers are accepted; empty for all.

    Raises:
        ParameterError: This is not a mobile number of such a country; the message never contains the number.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType

    if not _WRITTEN.fullmatch(written):
        raise ParameterError("mobile", WRONG)
    try:
        number = phonenumbers.parse("+" + written.removeprefix("+"))
    except phonenumbers.NumberParseException:
        raise ParameterError("mobile", WRONG) from None
    # In North America, mobile numbers cannot be told from landlines.
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in mobile:
        raise ParameterError("mobile", WRONG)
    if countries and phonenumbers.region_code_for_number(number) not in countries:
        raise ParameterError("mobile", f"is in a country that is not served here; served are: {_listed(countries)}")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def masked(number: str) -> str:
    """Return a number in the form that may be logged: only its first two and last two digits."""
    return f"{number[:3]}…{number[-2:]}"


@functools.cache
def _listed(countries: frozenset[str]) -> str:
    return ", ".join(sorted(countries))
