-- halted in front of such a loop: it is not in it
INSERT INTO cpu(machine_id, sample_id, cpu, mode, lin_rip, rip, intr_flag, smm, halted, nmi_masked) VALUES (1, 0, 0, 'long', 4096, 4096, 1, 0, 0, 0), (1, 0, 1, 'real', 229634, 33026, 0, 1, 1, 1);
INSERT INTO loop(machine_id, sample_id, cpu, first, last, head, kind, nr_insns, nr_gates, intr_flag, smm) VALUES (1, 0, 1, 229632, 229640, 229632, 'closed', 3, 1, 0, 1);
INSERT INTO loop_insn(machine_id, sample_id, cpu, nr, addr, bytes, text, role) VALUES (1, 0, 1, 0, 229632, '8b07', 'mov eax, [edi]', 'gate'), (1, 0, 1, 1, 229634, '85c0', 'test eax, eax', NULL), (1, 0, 1, 2, 229636, '74fa', 'je 0x38100', 'exit');
INSERT INTO loop_gate(machine_id, sample_id, cpu, nr, insn_addr, linear, phys, space, bytes, value, exit_cond, exit_value, class, nr_writers, insn) VALUES (1, 0, 1, 0, 229632, 20480, 20480, 'phys', 4, 0, 'value != 0x0', 1, 'shared', 0, 'mov eax, [edi]');
