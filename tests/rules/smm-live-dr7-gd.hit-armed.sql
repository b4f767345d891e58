-- GD is set: the next MOV DR faults
INSERT INTO cpu(machine_id, sample_id, cpu, smm) VALUES (1, 0, 0, 1);
INSERT INTO dbgreg(machine_id, sample_id, cpu, name, value, text) VALUES
 (1, 0, 0, 'dr6', 4294905840, NULL), (1, 0, 0, 'dr7', 9216, 'GD');
