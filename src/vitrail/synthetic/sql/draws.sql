-- Random numbers without a generator's state: each is a hash of seed, person, review and stream, so a person's
-- records do not depend on who else is generated, in which order, or on how many processors.
--
-- hash() of one 64-bit integer is a bijection that mixes all bits. hash() of several values is not used: it joins the
-- last one by exclusive or, so that two streams of one person would differ by a constant. DuckDB does not promise
-- that hash() stays the same in another version; a test holds its values, so that a change is seen.

-- The state of a person's, a review's or a contact's streams.
CREATE OR REPLACE TEMP MACRO branch(state, number) AS hash(xor(state::UBIGINT, hash(number::UBIGINT)));

-- Uniform in (0, 1), one for each stream of a state.
CREATE OR REPLACE TEMP MACRO uniform(state, stream) AS
    ((branch(state, stream) >> 11)::DOUBLE + 0.5) / 9007199254740992;

-- Standard normal, by Box and Muller (Ann Math Stat 1958;29:610-611); takes the stream and the next.
CREATE OR REPLACE TEMP MACRO normal(state, stream) AS
    sqrt(-2 * ln(uniform(state, stream))) * cos(2 * pi() * uniform(state, stream + 1));

CREATE OR REPLACE TEMP MACRO expit(x) AS 1 / (1 + exp(-(x)));

-- A whole number from 0 to n - 1.
CREATE OR REPLACE TEMP MACRO one_of(u, n) AS floor((u) * (n))::INTEGER;

-- A covariate's part of a linear predictor.
CREATE OR REPLACE TEMP MACRO term(x, coefficient) AS
    coefficient.log_odds_ratio * ((x)::DOUBLE - coefficient.centre) / coefficient.per;
