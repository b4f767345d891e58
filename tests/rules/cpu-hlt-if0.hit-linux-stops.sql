-- a Linux that stops halts its CPUs so: information
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rflags, intr_flag, smm, halted, mp_state, nmi_masked, nmi_pending, smi_pending) VALUES
 (1, 0, 0, 'long', 4097, 2, 0, 0, 1, 3, 0, 0, 0);
INSERT INTO cpu_os(machine_id, sample_id, cpu, task) VALUES
 (1, 0, 0, 65536);
INSERT INTO frame(machine_id, task, nr, function) VALUES (1, 65536, 0, 'stop_this_cpu+0x63/0xa0');
