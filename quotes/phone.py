"""Mobile numbers: read as people write them, kept as E.164, and shown in logs without most of their digits."""

import functools
import re

from quotes.errors import ParameterError

# The regions that have a numbering plan (ISO 3166-1, and AC, TA and XK). They stand here because settings are checked
# at every start, and the library that knows them is imported only when somebody subscribes; a test compares them.
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
    """Return a mobile number as `+`, country code and subscriber's number (ITU-T E.164).

    Args:
        written: The number with its country code, with or without `+`; spaces, dots, dashes and brackets do not count.
        countries: ISO 3166-1 codes of the countries whose numbers are taken; empty for all.

    Raises:
        ParameterError: It is none, or not one that texts can be sent to; the text never holds the number.
    """
    import phonenumbers
    from phonenumbers import PhoneNumberType

    if not _WRITTEN.fullmatch(written):
        raise ParameterError("mobile", WRONG)
    try:
        number = phonenumbers.parse("+" + written.removeprefix("+"))
    except phonenumbers.NumberParseException:
        raise ParameterError("mobile", WRONG) from None
    # In North America a mobile number looks like any other.
    mobile = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) not in mobile:
        raise ParameterError("mobile", WRONG)
    if countries and phonenumbers.region_code_for_number(number) not in countries:
        raise ParameterError("mobile", f"is in a country that is not served here; served are: {_listed(countries)}")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def masked(number: str) -> str:
    """Return what a log may tell of a number: its first two and its last two digits."""
    return f"{number[:3]}…{number[-2:]}"


@functools.cache
def _listed(countries: frozenset[str]) -> str:
    return ", ".join(sorted(countries))
