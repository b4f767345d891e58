-- an interrupt of the host; nothing waits
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, 10, 'intr', 'long', 4096);
INSERT INTO reg(machine_id, sample_id, cpu, name, value) VALUES
 (1, 0, 0, 'triple_fault', 0);
