-- in SMM, but the SMM view of memory was not saved
INSERT INTO smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision, smi_count) VALUES
 (1, 0, 0, 1, 196608, NULL, NULL, 1);
