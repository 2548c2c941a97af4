-- The concepts of concepts.csv (in the table `given`) as OMOP's three vocabulary tables.
CREATE OR REPLACE TEMP VIEW concept AS
SELECT
    concept_id, name AS concept_name, domain AS domain_id, vocabulary AS vocabulary_id, class AS concept_class_id,
    if(concept_id = 0, NULL, 'S') AS standard_concept, coalesce(nullif(code, ''), concept_id::VARCHAR) AS concept_code,
    DATE '1970-01-01' AS valid_start_date, DATE '2099-12-31' AS valid_end_date
FROM given
ORDER BY concept_id;

CREATE OR REPLACE TEMP VIEW concept_ancestor AS
WITH RECURSIVE steps AS (
    SELECT concept_id AS ancestor, concept_id AS descendant, 0 AS levels FROM given WHERE concept_id <> 0
    UNION ALL
    SELECT parent, descendant, levels + 1 FROM steps JOIN given ON ancestor = concept_id WHERE parent IS NOT NULL
)
SELECT
    ancestor AS ancestor_concept_id, descendant AS descendant_concept_id,
    levels AS min_levels_of_separation, levels AS max_levels_of_separation
FROM steps
ORDER BY ancestor, descendant;

CREATE OR REPLACE TEMP VIEW concept_relationship AS
SELECT
    concept_id_1, concept_id_2, relationship_id,
    DATE '1970-01-01' AS valid_start_date, DATE '2099-12-31' AS valid_end_date
FROM (
    SELECT concept_id AS concept_id_1, parent AS concept_id_2, 'Is a' AS relationship_id FROM given
    UNION ALL
    SELECT parent, concept_id, 'Subsumes' FROM given
    UNION ALL
    SELECT concept_id, concept_id, 'Maps to' FROM given WHERE concept_id <> 0
)
WHERE concept_id_1 IS NOT NULL AND concept_id_2 IS NOT NULL
ORDER BY concept_id_1, concept_id_2, relationship_id;
