-- id:         smm-deadloop-idiom
-- severity:   fatal
-- confidence: proof
-- needs:      cpu loop loop_gate
-- title:      The SMI handler has given up: it runs the firmware's dead loop
-- why:        A few instructions that test a word on their own stack, which nobody else knows: so firmware stops at an unhandled exception or a failed assertion.
-- fix:        Look for what it gave up at: the exception frame on its stack, and DR6, CR2. A debugger gets it out by changing the word.
-- source:     EDK2 BaseLib CpuDeadLoop; EDK2 CpuExceptionHandlerLib CommonExceptionHandler
-- proof:      scenario smm-dr7gd-l1
SELECT l.sample_id || '.' || l.cpu AS key,
       l.machine_id,
       'cpu ' || l.cpu AS subject,
       'cpu ' || l.cpu || ' runs the dead loop at ' || hex64(l.first) || ': ' || l.nr_insns
       || ' instructions wait for ' || g.bytes || ' bytes of their own stack at '
       || hex64(g.phys) || ', which hold ' || hex64(g.value) AS detail
  FROM loop l
  JOIN loop_gate g USING (machine_id, sample_id, cpu)
  JOIN cpu c USING (machine_id, sample_id, cpu)
 WHERE l.smm = 1
   AND l.kind = 'closed'
   AND l.intr_flag = 0
   AND l.nr_gates = 1
   AND l.nr_insns <= 5
   AND g.class = 'private'
   AND g.bytes IN (4, 8)
   AND g.value IN (0, 1)
   AND g.nr_writers = 0
   AND coalesce(c.mp_state, 0) = 0;

SELECT g.sample_id || '.' || g.cpu AS key,
       g.machine_id,
       'loop_gate' AS tbl,
       g.rowid AS row,
       coalesce(g.insn, 'a load') || ' at ' || hex64(g.insn_addr) || ' reads ' || g.bytes
       || ' bytes of its own stack at ' || g.space || ' ' || hex64(g.phys) || ' = '
       || coalesce(hex64(g.value), 'unknown') || coalesce(', until ' || g.exit_cond, '') AS text
  FROM loop_gate g
UNION ALL
SELECT c.sample_id || '.' || c.cpu,
       c.machine_id,
       'cpu',
       c.rowid,
       'in SMM, rip ' || coalesce(hex64(c.lin_rip), 'unknown') || ', IF '
       || coalesce(c.intr_flag, 'unknown') || ', nmi.masked ' || coalesce(c.nmi_masked, 'unknown')
  FROM cpu c
 WHERE c.smm = 1;

SELECT machine_id,
       'loop' AS tbl,
       'whether it is in SMM is unknown of ' || count(*)
       || iif(count(*) = 1, ' looping CPU', ' looping CPUs') AS message
  FROM loop
 WHERE smm IS NULL
   AND kind = 'closed'
   AND nr_gates = 1
 GROUP BY machine_id;
