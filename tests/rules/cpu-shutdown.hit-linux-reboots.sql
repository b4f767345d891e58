-- a Linux that reboots by a triple fault: said, as information
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, 8, 'shutdown', 'long', 4096);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'idtr.limit', 0);
INSERT INTO kernel(machine_id, nr, os) VALUES (1, 0, 'linux');
