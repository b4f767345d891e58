-- it waits for a byte
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, smm, intr_flag) VALUES (1, 0, 0, 0, 1, 0);
INSERT INTO loop(machine_id, sample_id, cpu, first, last, kind, nr_insns, nr_gates, intr_flag, smm) VALUES
 (1, 0, 0, 4096, 4105, 'closed', 3, 1, 0, 1);
INSERT INTO loop_gate(machine_id, sample_id, cpu, nr, insn_addr, linear, phys, space, bytes, value, exit_cond, class, nr_writers, insn) VALUES
 (1, 0, 0, 0, 4096, 8192, 8192, 'smm', 1, 0, 'value != 0x0', 'private', 0, 'mov al, [rbp-8]');
