"""Where does a log stand that a fleet shares? A PostgreSQL server, with a lease that holds across machines."""
