-- not in the dump
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', NULL),
 (1, 0, 0, 'dr7', NULL);
