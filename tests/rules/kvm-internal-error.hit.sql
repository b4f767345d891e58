-- emulation failed; an entry failed
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, 17, 'internal-error', 'long', 1257509),
 (1, 0, 1, 9, 'fail-entry', 'long', 4096);
INSERT INTO flight(machine_id, sample_id, cpu, nr, what, exit_reason, value) VALUES
 (1, 0, 0, 3, 'run', 17, 1),
 (1, 0, 1, 2, 'run', 10, NULL),
 (1, 0, 1, 3, 'run', 9, 2147483681);
