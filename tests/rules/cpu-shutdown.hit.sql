-- one exit for a shutdown, on another a triple fault waits
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, 8, 'shutdown', 'real', 4294967280),
 (1, 0, 1, 10, 'intr', 'long', 4096);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 1, 'triple_fault', 1),
 (1, 0, 1, 'idtr.limit', 4095);
