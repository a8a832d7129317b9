-- One copy of each model lies in shared memory; every session and parallel worker computes from it.
SELECT model, pg_size_pretty(bytes) AS size, precision, kernels, loads, hits, pins, shared FROM roformer.cache ORDER BY model;
