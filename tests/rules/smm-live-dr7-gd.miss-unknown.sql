-- in SMM, the debug registers were not saved; of CPU 1 nothing is known
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1), (1, 0, 1, NULL);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', NULL), (1, 0, 0, 'dr7', NULL);
