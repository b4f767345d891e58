-- a dump of another producer
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason) VALUES
 (1, 0, 0, NULL);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'triple_fault', NULL);
