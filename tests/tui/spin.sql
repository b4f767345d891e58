-- A machine of two CPUs: cpu 0 counts in long mode, cpu 1 spins in SMM on a word that nobody writes.
INSERT INTO dump(dump_id, content_id, path, format, variant, file_bytes, producer, reason, reason_text, nonce, t_ns)
VALUES(1, '00112233445566778899aabbccddeeff', 'spin.core', 'elfcore', 'inquest snapshot', 67108864,
       'inquest-vmm', 'command', 'asked for', 'a5a5a5a5', 1700000000000000000);
INSERT INTO machine VALUES(1, 1, NULL, 'vm', 'x86_64', 2);
INSERT INTO sample(machine_id, sample_id, t_ns, kind) VALUES(1, 0, 1700000000000000000, 'snapshot');
INSERT INTO space(space_id, machine_id, name, lower_id) VALUES(1, 1, 'phys', NULL), (2, 1, 'smm', 1);
INSERT INTO run(machine_id, tbl, state, nr_rows, t_ns)
VALUES(1, 'cpu', 'complete', 2, 1000), (1, 'reg', 'complete', 30, 1000), (1, 'lapic_reg', 'complete', 12, 1000),
      (1, 'insn', 'complete', 36, 1000), (1, 'loop', 'complete', 1, 1000);
INSERT INTO gap(machine_id, tbl, space_id, addr, length, status, message)
VALUES(1, 'insn', 1, 4096, 16, 'absent', 'phys: 0x1000: page was not dumped');
INSERT INTO unevaluated(machine_id, rule, tbl, state, message)
VALUES(1, 'cpu-hlt-if0', 'cpu', 'partial', 'vcpu events of cpu 0 are absent');

INSERT INTO finding(finding_id, machine_id, rule, key, severity, confidence, title, subject, detail, why, fix)
VALUES(1, 1, 'smm-tight-loop', '0.1', 'error', 'strong', 'CPU is stuck in SMM', 'cpu 1',
       'cpu 1 is stuck in SMM in the loop at 0x38100, waiting on phys 0x5000 (memory, 4 bytes) which holds 0x0, until value != 0x0',
       'In SMM no interrupt reaches the CPU, and no code of another CPU writes the word that the loop waits for.',
       'Find who should have written that word.'),
      (2, 1, 'smm-core-in-smm', '0.1', 'info', 'proof', 'CPU is in system-management mode', 'cpu 1', NULL,
       'An SMI handler runs for microseconds.', 'Look at what the handler does.');
INSERT INTO cpu(machine_id, sample_id, cpu, mode, rip, lin_rip, rsp, rflags, intr_flag, smm, halted, mp_name, exit_name)
VALUES(1, 0, 0, 'long', -2130706432, -2130706432, -2130640896, 514, 1, 0, 0, 'runnable', NULL),
      (1, 0, 1, 'real', 33026, 229634, 32768, 2, 0, 1, 0, 'runnable', 'intr');
INSERT INTO reg(machine_id, sample_id, cpu, name, grp, value, text)
VALUES(1, 0, 0, 'rax', 'general', 81985529216486895, NULL), (1, 0, 0, 'rip', 'general', -2130706432, NULL),
      (1, 0, 0, 'rflags', 'general', 514, 'IF'), (1, 0, 0, 'cr3', 'control', NULL, NULL),
      (1, 0, 1, 'rax', 'general', 0, NULL), (1, 0, 1, 'rbx', 'general', 1, NULL), (1, 0, 1, 'rcx', 'general', 2, NULL),
      (1, 0, 1, 'rdx', 'general', 3, NULL), (1, 0, 1, 'rsi', 'general', 4, NULL), (1, 0, 1, 'rdi', 'general', 20480, NULL),
      (1, 0, 1, 'rsp', 'general', 32768, NULL), (1, 0, 1, 'rbp', 'general', 0, NULL),
      (1, 0, 1, 'rip', 'general', 33026, NULL), (1, 0, 1, 'rflags', 'general', 2, 'IF off'),
      (1, 0, 1, 'cr0', 'control', 16, 'ET'), (1, 0, 1, 'cr3', 'control', NULL, NULL), (1, 0, 1, 'cr4', 'control', 0, NULL),
      (1, 0, 1, 'cs.base', 'segment', 196608, NULL), (1, 0, 1, 'cs.selector', 'segment', 12288, NULL),
      (1, 0, 1, 'nmi.masked', 'event', 1, 'NMIs are blocked'), (1, 0, 1, 'smi.smm', 'event', 1, 'in SMM');
INSERT INTO lapic_reg(machine_id, sample_id, cpu, off, name, value, text)
SELECT 1, 0, c, off, name, iif(c = 0 AND off = 144, NULL, value), text
  FROM (SELECT 0 AS c UNION ALL SELECT 1),
       (SELECT 32 AS off, 'id' AS name, 0 AS value, NULL AS text
        UNION ALL SELECT 48, 'version', 327700, '6 LVT entries'
        UNION ALL SELECT 128, 'tpr', 0, NULL
        UNION ALL SELECT 144, 'apr', 0, NULL
        UNION ALL SELECT 240, 'svr', 511, 'enabled, vector 0xff'
        UNION ALL SELECT 288, 'isr1', 0, NULL
        UNION ALL SELECT 544, 'irr1', 65536, 'vector 0x30'
        UNION ALL SELECT 800, 'lvt_timer', 131120, 'periodic, vector 0x30');
-- cpu 0: a straight line; cpu 1: six instructions, three of them the loop
INSERT INTO insn(machine_id, sample_id, cpu, addr, nr, len, bytes, text, is_rip, in_loop)
WITH RECURSIVE n(i) AS (SELECT -12 UNION ALL SELECT i + 1 FROM n WHERE i < 15)
SELECT 1, 0, 0, -2130706432 + 4 * i, i, 4, printf('4883c0%02x', i + 12), 'add rax, ' || (i + 12), i = 0, 0 FROM n;
INSERT INTO insn(machine_id, sample_id, cpu, addr, nr, len, bytes, text, is_rip, in_loop, mem_addr)
VALUES(1, 0, 1, 229624, -3, 3, 'bf0050', 'mov edi, 0x5000', 0, 0, NULL),
      (1, 0, 1, 229627, -2, 5, '9090909090', 'nop', 0, 0, NULL),
      (1, 0, 1, 229632, -1, 2, '8b07', 'mov eax, [edi]', 0, 1, 20480),
      (1, 0, 1, 229634, 0, 2, '85c0', 'test eax, eax', 1, 1, NULL),
      (1, 0, 1, 229636, 1, 2, '74fa', 'je 0x38100', 0, 1, NULL),
      (1, 0, 1, 229638, 2, 2, '0faa', 'rsm', 0, 0, NULL);
INSERT INTO loop(machine_id, sample_id, cpu, first, last, head, kind, nr_insns, nr_gates, intr_flag, smm)
VALUES(1, 0, 1, 229632, 229637, 229632, 'closed', 3, 1, 0, 1);
INSERT INTO evidence(machine_id, finding_id, nr, tbl, row, text)
SELECT 1, 1, 1, 'loop', rowid, 'the loop of 3 instructions at 0x38100, closed' FROM loop
UNION ALL SELECT 1, 1, 2, 'insn', rowid, '0x38100  mov eax, [edi]   <- gate' FROM insn WHERE addr = 229632
UNION ALL SELECT 1, 1, 3, 'cpu', rowid, 'cpu 1: in SMM, rip 0x38102, IF 0' FROM cpu WHERE cpu = 1
UNION ALL SELECT 1, 1, 4, 'cpu', rowid,
       'cpu 0: long, running, rip 0xffffffff81000000, not in SMM, and so it would have had the time to write the word' FROM cpu WHERE cpu = 0
UNION ALL SELECT 1, 2, 1, 'cpu', rowid, 'events.smi.smm = 1, mode real' FROM cpu WHERE cpu = 1;
