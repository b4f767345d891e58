-- a producer that did not read them
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'dr6', 0),
 (1, 0, 0, 'dr7', 0);
