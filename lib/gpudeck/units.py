"""Units and the printing of numbers, in Chinese and in English.

GB is 10⁹ bytes and GiB is 2³⁰ bytes everywhere; nothing converts between them unless asked.
"""

import math
from dataclasses import dataclass
from typing import Literal

from babel.numbers import format_compact_decimal, format_decimal

from gpudeck.errors import InputError

Scale = Literal["auto", "compact", "plain", "percent"]

_LOCALE = {"zh": "zh_CN", "en": "en_US"}
# Where a reader of the language expects the next word: 万, 亿, 万亿 or K, M, B, T.
_STEPS = {"zh": (1e4, 1e8, 1e12), "en": (1e3, 1e6, 1e9, 1e12)}
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Unit:
    """How a unit is written in each language, and what it measures.

    ``factor`` times a number in this unit is the number in the base unit of ``dimension``.
    """

    zh: str
    en: str
    dimension: str
    factor: float = 1.0
    plural: str = ""
    prefix: str = ""


def _byte_units() -> dict[str, Unit]:
    powers = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}
    powers |= {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
    units = {"B": Unit("字节", "byte", "bytes", 1.0, "bytes")}
    for name, factor in powers.items():
        units[name] = Unit(name, name, "bytes", factor)
        units[f"{name}/s"] = Unit(f"{name}/s", f"{name}/s", "bytes/s", factor)
    units["Gbit/s"] = Unit("Gbit/s", "Gbit/s", "bytes/s", 1e9 / 8)
    return units


UNITS: dict[str, Unit] = _byte_units() | {
    "1": Unit("", "", "ratio"),
    "%": Unit("%", "%", "ratio", 0.01),
    "x": Unit("倍", "×", "ratio"),
    "point": Unit("个百分点", "point", "points", 1.0, "points"),
    "text": Unit("", "", "text"),
    # counts
    "count": Unit("", "", "count"),
    "GPU": Unit("张GPU", "GPU", "GPUs", 1.0, "GPUs"),
    "node": Unit("个节点", "node", "nodes", 1.0, "nodes"),
    "job": Unit("个作业", "job", "jobs", 1.0, "jobs"),
    "pod": Unit("个Pod", "pod", "pods", 1.0, "pods"),
    "server": Unit("台服务器", "server", "servers", 1.0, "servers"),
    "SM": Unit("个SM", "SM", "SMs", 1.0, "SMs"),
    "slice": Unit("个切片", "slice", "slices", 1.0, "slices"),
    "instance": Unit("个实例", "instance", "instances", 1.0, "instances"),
    "tenant": Unit("个租户", "tenant", "tenants", 1.0, "tenants"),
    "launch": Unit("次启动", "launch", "launches", 1.0, "launches"),
    "preemption": Unit("次抢占", "preemption", "preemptions", 1.0, "preemptions"),
    "token": Unit("个token", "token", "tokens", 1.0, "tokens"),
    "request": Unit("个请求", "request", "requests", 1.0, "requests"),
    "parameter": Unit("个参数", "parameter", "parameters", 1.0, "parameters"),
    # time
    "us": Unit("微秒", "µs", "time", 1e-6),
    "ms": Unit("毫秒", "ms", "time", 1e-3),
    "s": Unit("秒", "s", "time"),
    "min": Unit("分钟", "min", "time", 60.0),
    "h": Unit("小时", "h", "time", 3600.0),
    "s/GB": Unit("秒/GB", "s/GB", "time/bytes"),
    "day": Unit("天", "day", "time", 86400.0, "days"),
    "GPU-second": Unit("GPU·秒", "GPU-second", "GPU time", 1.0, "GPU-seconds"),
    "GPU-hour": Unit("GPU·时", "GPU-hour", "GPU time", 3600.0, "GPU-hours"),
    # rates
    "TFLOP/s": Unit("TFLOP/s", "TFLOP/s", "FLOP/s", 1e12),
    "PFLOP/s": Unit("PFLOP/s", "PFLOP/s", "FLOP/s", 1e15),
    "TOP/s": Unit("TOP/s", "TOP/s", "OP/s", 1e12),
    "IOPS": Unit("IOPS", "IOPS", "operations/s"),
    "1/s": Unit("次/秒", "/s", "operations/s"),
    "job/h": Unit("作业/小时", "job/h", "jobs/s", 1 / 3600, "jobs/h"),
    "job/s": Unit("作业/秒", "job/s", "jobs/s", 1.0, "jobs/s"),
    "token/s": Unit("token/秒", "token/s", "tokens/s", 1.0, "tokens/s"),
    "request/s": Unit("请求/秒", "request/s", "requests/s", 1.0, "requests/s"),
    # power, energy, carbon
    "W": Unit("W", "W", "power"),
    "kW": Unit("kW", "kW", "power", 1e3),
    "MW": Unit("MW", "MW", "power", 1e6),
    "J": Unit("J", "J", "energy"),
    "kWh": Unit("kWh", "kWh", "energy", 3.6e6),
    "TWh": Unit("TWh", "TWh", "energy", 3.6e15),
    "GPU-hour/kWh": Unit("GPU·时/kWh", "GPU-hours/kWh", "GPU time/energy"),
    "J/token": Unit("J/token", "J/token", "energy/token"),
    "token/J": Unit("token/J", "token/J", "tokens/energy", 1.0, "tokens/J"),
    "gCO2e": Unit("克CO₂e", "g CO₂e", "carbon", 1e-3),
    "kgCO2e": Unit("千克CO₂e", "kg CO₂e", "carbon"),
    "tCO2e": Unit("吨CO₂e", "t CO₂e", "carbon", 1e3),
    "gCO2e/kWh": Unit("克CO₂e/kWh", "g CO₂e/kWh", "carbon/energy"),
    # money, always dated where it is printed
    "USD": Unit("美元", "", "USD", prefix="$"),
    "USD/GPU-hour": Unit("美元/GPU·时", "/GPU-hour", "USD/GPU time", prefix="$"),
    "USD/h": Unit("美元/小时", "/h", "USD/time", prefix="$"),
    "USD/day": Unit("美元/天", "/day", "USD/time", 1 / 24, prefix="$"),
    "USD/kWh": Unit("美元/kWh", "/kWh", "USD/energy", prefix="$"),
    "USD/Mtoken": Unit("美元/百万token", "/M tokens", "USD/token", prefix="$"),
    "GPU-hour/USD": Unit("GPU·时/美元", "GPU-hours/$", "GPU time/USD"),
    "Mtoken/USD": Unit("百万token/美元", "M tokens/$", "tokens/USD", 1e6),
    "token/USD": Unit("token/美元", "token/$", "tokens/USD", 1.0, "tokens/$"),
}


def format_number(
    value: float,
    lang: str,
    *,
    digits: int = 2,
    decimals: int | None = None,
    scale: Scale = "auto",
) -> str:
    """Write a number the way a reader of the language expects it.

    Parameters
    ----------
    value
        A finite number.
    lang
        ``"zh"`` or ``"en"``.
    digits
        Significant digits. Digits before the decimal point are always kept, so that 8152
        stays 8152; zeros at the end of the fraction are dropped.
    decimals
        Digits after the point, kept even when zero, in place of ``digits``: for columns.
    scale
        ``"auto"`` writes 万 and 亿 in Chinese from 10,000 and thousands separators in
        English; ``"compact"`` also K, M, B in English; ``"plain"`` neither.

    Raises
    ------
    InputError
        The value is not finite, or ``lang``, ``digits`` or ``scale`` is unknown.

    >>> format_number(8152, "zh"), format_number(8152, "en")
    ('8152', '8,152')
    >>> format_number(123456, "zh"), format_number(123456, "en", scale="compact")
    ('12万', '123K')
    >>> format_number(0.01234, "en"), format_number(3, "en", decimals=1)
    ('0.012', '3.0')
    """
    _check(value, lang, digits, scale)
    if scale == "compact" or (scale == "auto" and lang == "zh"):
        text = _format_compact(value, lang, digits, decimals)
    else:
        text = _format_plain(value, lang, digits, decimals)
    return text.replace("-", _MINUS)


def format_quantity(
    value: float,
    unit: str,
    lang: str,
    *,
    digits: int = 2,
    decimals: int | None = None,
    scale: Scale = "auto",
) -> str:
    """Write a number with its unit, spaced for the language.

    A Latin symbol follows a digit after one space; Chinese follows, and is followed, without any:
    the gap between Chinese and Latin is the renderer's. ``%`` follows without a space.

    Parameters
    ----------
    value
        A finite number, in ``unit``.
    unit
        A key of ``UNITS``.
    lang
        ``"zh"`` or ``"en"``.
    digits
        Significant digits, as for ``format_number``.
    decimals
        Digits after the point, in place of ``digits``.
    scale
        As for ``format_number``; ``"percent"`` writes the fraction 0.954, unit ``1``, as
        95%.

    Raises
    ------
    InputError
        As for ``format_number``; an unknown unit; percent of another unit than ``1``.

    >>> format_quantity(95.4, "%", "zh", digits=3)
    '95.4%'
    >>> format_quantity(0.954, "1", "en", scale="percent")
    '95%'
    >>> format_quantity(123456, "GPU-hour", "zh"), format_quantity(123456, "GPU-hour", "en")
    ('12万GPU·时', '123,456 GPU-hours')
    >>> format_quantity(3350, "GB/s", "zh"), format_quantity(2.95, "USD/GPU-hour", "en", digits=3)
    ('3350 GB/s', '$2.95/GPU-hour')
    """
    if scale == "percent":
        if unit != "1":
            msg = f"scale is 'percent' with unit {unit!r}; allowed is the fraction unit '1'"
            raise InputError(msg)
        value, unit, scale = value * 100, "%", "plain"
    described = find_unit(unit)
    number = format_number(value, lang, digits=digits, decimals=decimals, scale=scale)
    if lang == "zh":
        return number + _gap(number, described.zh) + described.zh
    name = (
        described.plural if described.plural and number not in {"1", _MINUS + "1"} else described.en
    )
    if described.prefix:
        sign, size = (_MINUS, number[1:]) if number.startswith(_MINUS) else ("", number)
        return sign + described.prefix + size + name
    return number + _gap(number, name) + name


def find_unit(unit: str) -> Unit:
    """Look a unit up.

    Raises
    ------
    InputError
        The unit is not in ``UNITS``.

    >>> find_unit("GiB").factor
    1073741824.0
    """
    if unit not in UNITS:
        msg = f"unit is {unit!r}; allowed are {', '.join(sorted(UNITS))}"
        raise InputError(msg)
    return UNITS[unit]


def convert(value: float, unit: str, to: str) -> float:
    """Convert a number between two units of one dimension.

    Raises
    ------
    InputError
        A unit is unknown, or the two measure different things.

    >>> convert(400, "Gbit/s", "GB/s"), convert(80, "GiB", "GB")
    (50.0, 85.89934592)
    """
    source, target = find_unit(unit), find_unit(to)
    if source.dimension != target.dimension:
        msg = (
            f"{unit!r} measures {source.dimension}, {to!r} measures {target.dimension};"
            " allowed are two units of one dimension"
        )
        raise InputError(msg)
    return value * source.factor / target.factor


def _check(value: float, lang: str, digits: int, scale: str) -> None:
    if not math.isfinite(value):
        msg = f"value is {value}; allowed are finite numbers"
        raise InputError(msg)
    if lang not in _LOCALE:
        msg = f"lang is {lang!r}; allowed are {', '.join(_LOCALE)}"
        raise InputError(msg)
    if digits < 1:
        msg = f"digits is {digits}; allowed is 1 or above"
        raise InputError(msg)
    if scale not in {"auto", "compact", "plain"}:
        msg = f"scale is {scale!r}; allowed are auto, compact, plain, and percent with a unit"
        raise InputError(msg)


def _decimals(value: float, digits: int) -> int:
    return 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))


def _format_plain(value: float, lang: str, digits: int, decimals: int | None) -> str:
    whole = "0" if lang == "zh" else "#,##0"
    if decimals is None:
        fraction = "#" * _decimals(round(value, _decimals(value, digits)), digits)
    else:
        fraction = "0" * decimals
    pattern = f"{whole}.{fraction}" if fraction else whole
    text: str = format_decimal(value, format=pattern, locale=_LOCALE[lang])
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _format_compact(value: float, lang: str, digits: int, decimals: int | None) -> str:
    step = _step(value, lang)
    places = _decimals(value / step, digits) if decimals is None else decimals
    # Rounding first: 99,999,999 is 1亿, not 10000万.
    value = round(value / step, places) * step
    step = _step(value, lang)
    if step == 1:
        return _format_plain(value, lang, digits, decimals)
    places = _decimals(value / step, digits) if decimals is None else decimals
    text: str = format_compact_decimal(value, locale=_LOCALE[lang], fraction_digits=places)
    return text


def _step(value: float, lang: str) -> float:
    return max((step for step in _STEPS[lang] if step <= abs(value)), default=1.0)


def _gap(number: str, unit: str) -> str:
    latin = unit[:1] == "µ" or (unit[:1].isascii() and unit[:1].isalpha())
    return " " if latin and number[-1:].isascii() else ""
