-- id:         smm-tight-loop
-- severity:   error
-- confidence: strong
-- needs:      cpu reg loop loop_insn loop_gate gate_writer
-- title:      CPU is stuck in SMM, in a loop that does not end by itself
-- why:        In SMM no interrupt, NMI or SMI reaches the CPU, and no code found on another CPU writes the word that the loop waits for.
-- fix:        Find who should have written that word; if nobody should, the handler has reached its dead end: look at what led there.
-- source:     SDM vol. 3, 31.3.1 and 31.4 (events blocked in SMM); EDK2 BaseLib CpuDeadLoop
-- proof:      scenario smm-dr7gd-l1
SELECT key, machine_id, subject,
       detail
       || CASE WHEN breaks = 1 THEN '; but an event is about to break into it' ELSE '' END
       || CASE WHEN passing IS NULL THEN ''
               ELSE '; but cpu ' || passing || ' is on its way through SMM and may write it yet' END
       AS detail,
       CASE WHEN intr_flag = 1 OR breaks = 1 OR passing IS NOT NULL THEN 'warning'
            WHEN dead = 1 THEN 'fatal' ELSE 'error' END AS severity,
       CASE WHEN dead = 1 AND breaks = 0 THEN 'proof' ELSE 'strong' END AS confidence
  FROM (
SELECT l.sample_id || '.' || l.cpu AS key,
       l.machine_id AS machine_id,
       'cpu ' || l.cpu AS subject,
       'cpu ' || l.cpu || ' is stuck in SMM in the loop at ' || hex64(l.first) || ', '
       || coalesce('waiting on ' || (
            SELECT group_concat(
                     g.bytes || CASE g.bytes WHEN 1 THEN ' byte of ' ELSE ' bytes of ' END
                     || CASE WHEN g.class = 'private' THEN 'its own stack'
                             WHEN g.class = 'device' THEN 'a device'
                             WHEN g.space = 'smm' THEN 'SMRAM' ELSE 'memory' END
                     || ' at ' || hex64(g.phys)
                     || CASE WHEN g.value IS NULL THEN '' ELSE ' = ' || hex64(g.value) END
                     || coalesce(', until ' || g.exit_cond, ''), ' and on ')
              FROM loop_gate g
             WHERE g.machine_id = l.machine_id AND g.sample_id = l.sample_id AND g.cpu = l.cpu),
          'which has no way out')
       || CASE WHEN l.nr_gates > 0 THEN '; no code of another CPU writes it' ELSE '' END
       AS detail,
       l.intr_flag AS intr_flag,
       l.kind = 'closed' AND l.intr_flag = 0 AND NOT EXISTS (
            SELECT 1 FROM loop_gate g
             WHERE g.machine_id = l.machine_id AND g.sample_id = l.sample_id
               AND g.cpu = l.cpu AND g.class <> 'private') AS dead,
       -- what is delivered before the next instruction, or behind each one (TF)
       coalesce(c.rflags >> 8 & 1, 0) = 1
       OR (coalesce(c.nmi_pending, 0) = 1 AND coalesce(c.nmi_masked, 0) = 0)
       OR EXISTS (
            SELECT 1 FROM reg r
             WHERE r.machine_id = l.machine_id AND r.sample_id = l.sample_id AND r.cpu = l.cpu
               AND r.value = 1
               AND r.name IN ('exc.pending', 'exc.injected', 'int.injected', 'nmi.injected',
                              'triple_fault')) AS breaks,
       -- another CPU that enters SMM next, or is in it and not stuck itself
       (SELECT min(o.cpu) FROM cpu o
         WHERE o.machine_id = l.machine_id AND o.sample_id = l.sample_id AND o.cpu <> l.cpu
           AND coalesce(o.mp_state, 0) IN (0, 3)
           AND ((o.smi_pending = 1 AND coalesce(o.smm, 0) = 0)
                OR (o.smm = 1 AND coalesce(o.halted, 0) = 0 AND NOT EXISTS (
                      SELECT 1 FROM loop k
                       WHERE k.machine_id = o.machine_id AND k.sample_id = o.sample_id
                         AND k.cpu = o.cpu AND k.kind IN ('closed', 'polling'))))
           AND EXISTS (
                 SELECT 1 FROM loop_gate g
                  WHERE g.machine_id = l.machine_id AND g.sample_id = l.sample_id
                    AND g.cpu = l.cpu AND g.class = 'shared')) AS passing
  FROM loop l
  JOIN cpu c ON c.machine_id = l.machine_id AND c.sample_id = l.sample_id AND c.cpu = l.cpu
 WHERE l.smm = 1
   AND coalesce(c.mp_state, 0) = 0 -- one that halts or is not started is in no loop
   AND coalesce(c.halted, 0) = 0
   AND l.kind IN ('closed', 'polling')
   AND NOT EXISTS (SELECT 1 FROM loop_gate g
                    WHERE g.machine_id = l.machine_id AND g.sample_id = l.sample_id
                      AND g.cpu = l.cpu AND g.nr_writers > 0));

SELECT l.sample_id || '.' || l.cpu AS key,
       l.machine_id AS machine_id,
       'loop_insn' AS tbl,
       i.rowid AS row,
       hex64(i.addr) || '  ' || i.text
       || CASE i.role WHEN 'gate' THEN '   <- gate'
                      WHEN 'exit' THEN '   <- the way out' || coalesce(', to ' || hex64(i.exit_to), '')
                      WHEN 'back' THEN '   <- back' || coalesce(' to ' || hex64(i.target), '')
                      ELSE '' END AS text
  FROM loop l
  JOIN loop_insn i ON i.machine_id = l.machine_id AND i.sample_id = l.sample_id AND i.cpu = l.cpu
 WHERE l.smm = 1 AND l.kind IN ('closed', 'polling')
UNION ALL
SELECT g.sample_id || '.' || g.cpu,
       g.machine_id,
       'loop_gate',
       g.rowid,
       'gate: ' || coalesce(g.insn, 'a load') || ' at ' || hex64(g.insn_addr) || ' reads '
       || g.bytes || CASE g.bytes WHEN 1 THEN ' byte at ' ELSE ' bytes at ' END || g.space || ' ' || hex64(g.phys) || ' = '
       || CASE WHEN g.value IS NULL THEN 'unknown' ELSE hex64(g.value) END
       || coalesce('; the loop ends when ' || g.exit_cond, '')
       || CASE WHEN g.exit_value IS NULL THEN ''
               ELSE ' (run with ' || hex64(g.exit_value) || ' there, it left)' END
  FROM loop_gate g
  JOIN loop l ON l.machine_id = g.machine_id AND l.sample_id = g.sample_id AND l.cpu = g.cpu
 WHERE l.smm = 1 AND l.kind IN ('closed', 'polling')
UNION ALL
SELECT c.sample_id || '.' || l.cpu,
       c.machine_id,
       'cpu',
       c.rowid,
       CASE WHEN c.cpu = l.cpu
            THEN 'cpu ' || c.cpu || ': in SMM, rip ' || coalesce(hex64(c.lin_rip), 'unknown')
                 || coalesce(', IF ' || c.intr_flag, '') || coalesce(', nmi.masked ' || c.nmi_masked, '')
            ELSE 'cpu ' || c.cpu || ': '
                 || CASE WHEN c.smm = 0 AND c.halted = 0 AND o.kind IN ('open', 'bounded')
                         THEN 'alive, ' ELSE '' END
                 || coalesce(c.mode, 'mode unknown')
                 || CASE c.smm WHEN 0 THEN ', not in SMM' WHEN 1 THEN ', in SMM too' ELSE '' END
                 || CASE c.halted WHEN 1 THEN ', halted' WHEN 0 THEN ', running' ELSE '' END
                 || ', rip ' || coalesce(hex64(c.lin_rip), 'unknown')
                 || coalesce(', its loop is ' || o.kind || coalesce(': ' || o.text, ''), '')
       END
  FROM loop l
  JOIN cpu c ON c.machine_id = l.machine_id AND c.sample_id = l.sample_id
  LEFT JOIN loop o ON o.machine_id = c.machine_id AND o.sample_id = c.sample_id AND o.cpu = c.cpu
 WHERE l.smm = 1 AND l.kind IN ('closed', 'polling');

SELECT machine_id,
       'loop' AS tbl,
       'whether it is in SMM is unknown of ' || count(*) || iif(count(*) = 1, ' looping CPU', ' looping CPUs')
       AS message
  FROM loop l
 WHERE smm IS NULL
   AND coalesce(kind, 'closed') IN ('closed', 'polling')
   AND NOT EXISTS (SELECT 1 FROM loop_gate g
                    WHERE g.machine_id = l.machine_id AND g.sample_id = l.sample_id
                      AND g.cpu = l.cpu AND g.nr_writers > 0)
 GROUP BY machine_id;
