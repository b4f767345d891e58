-- in SMM, neither bit; outside, a debugger of the system uses GD
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1), (1, 0, 1, 0);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value, text) VALUES
 (1, 0, 0, 'dr6', 4294905840, NULL), (1, 0, 0, 'dr7', 1024, NULL),
 (1, 0, 1, 'dr6', 4294914032, 'BD'), (1, 0, 1, 'dr7', 9216, 'GD');
