"""How large a request may be, field by field: one table, checked at every service's door."""

from voicemesh.request_bounds.checks import Check, check_of
from voicemesh.request_bounds.field_count import check_field_count

__all__ = ["Check", "check_field_count", "check_of"]
