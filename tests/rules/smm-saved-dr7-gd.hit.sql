-- in SMM with GD in the saved DR7; CPU 1 has been in SMM
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision, smi_count) VALUES
 (1, 0, 0, 1, 196608, 'amd64', 131172, 1),
 (1, 0, 1, 0, 262144, 'intel64', 196865, 7);
INSERT INTO smm_save(machine_id, sample_id, cpu, name, addr, value, text) VALUES
 (1, 0, 0, 'dr7', 262000, 9216, 'GD'),
 (1, 0, 0, 'rip', 262001, 4096, NULL),
 (1, 0, 1, 'dr7', 327000, 9472, 'GD, LE');
