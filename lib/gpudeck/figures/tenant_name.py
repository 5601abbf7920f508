"""How a picture names the tenants."""

from collections.abc import Sequence

from gpudeck.scenario.schema import Tenant

# letters that a label has room for
_LETTERS = {"zh": 8, "en": 18}


def tenant_names(tenants: Sequence[Tenant], lang: str) -> dict[str, str]:
    """Return each tenant's title in a language, or its id where the title is too long to draw."""
    most = _LETTERS[lang]
    titles = {tenant.id: tenant.title.in_language(lang) for tenant in tenants}
    return {name: title if len(title) <= most else name for name, title in titles.items()}
