"""Which tables does the server need? Steps from one layout to the next, run by alembic when a store is opened."""
