-- a dump that does not say whether the CPU is in SMM
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, smm) VALUES
 (1, 0, 0, 'real', 229376, 32768, NULL);
