-- a #DB was taken in SMM, and a dead loop runs
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1), (1, 0, 1, 0);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value, text) VALUES
 (1, 0, 0, 'dr6', 4294914032, 'BD'), (1, 0, 0, 'dr7', 1024, NULL),
 (1, 0, 1, 'dr6', 4294905840, NULL), (1, 0, 1, 'dr7', 9216, 'GD');
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value) VALUES
 (1, 0, 0, 'dr6', 262000, 4294905840), (1, 0, 0, 'dr7', 262008, 9216);
INSERT INTO loop(machine_id, sample_id, cpu, kind, smm) VALUES (1, 0, 0, 'closed', 1);
