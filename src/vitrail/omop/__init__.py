"""Tables, snapshots, cohorts and covariates over the OMOP Common Data Model."""
