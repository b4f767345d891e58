-- no run state in the dump
INSERT INTO cpu(machine_id, sample_id, cpu, exit_reason, exit_name, mode, lin_rip) VALUES
 (1, 0, 0, NULL, NULL, NULL, NULL);
