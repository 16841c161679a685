"""Notes of a run whether it was to grade anew what was graded already.

Revision: 0002, after 0001. Made 2026-11-25.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the change."""
    op.add_column("runs", sa.Column("forced", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Takes the change back."""
    with op.batch_alter_table("runs") as table:
        table.drop_column("forced")
