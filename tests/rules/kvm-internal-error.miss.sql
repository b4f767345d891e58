-- ended by a signal
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, 10, 'intr', 'long', 4096);
INSERT INTO flight(machine_id, sample_id, cpu, nr, what, exit_reason, value) VALUES
 (1, 0, 0, 3, 'run', 17, 1);
