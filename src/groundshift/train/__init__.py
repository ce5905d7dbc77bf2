"""Networks that measure displacement: feeding them. Only here may torch be imported, and only when it is asked for."""

from __future__ import annotations
