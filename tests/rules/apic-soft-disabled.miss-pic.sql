-- a Linux on one CPU that gets its interrupts from the 8259, past the local APIC
INSERT INTO cpu(machine_id, sample_id, cpu, mp_state, halted, intr_flag, smm, exit_reason, apic_id) VALUES
 (1, 0, 0, 0, 0, 1, 0, 10, 0);
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value) VALUES
 (1, 0, 0, 240, 'svr', 255), (1, 0, 0, 848, 'lvt_lint0', 1792);
INSERT INTO cpu_os(machine_id, sample_id, cpu, online) VALUES (1, 0, 0, 1);
