SELECT a.id AS key, a.machine_id, '' AS subject, '' AS detail FROM a JOIN b ON a.id = b.id;
SELECT a.id AS key, a.machine_id, 'a' AS tbl, 1 AS row, '' AS text
  FROM a, b WHERE a.id = b.id AND EXISTS (SELECT 1 FROM d WHERE d.id = a.id);
SELECT a.id FROM a JOIN b USING(machine_id) JOIN c USING(id);
SELECT a.id, (SELECT count(*) FROM b WHERE b.id = a.id) FROM a;
