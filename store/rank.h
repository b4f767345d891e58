/* How severities and confidences are ordered.  The only place that knows. */
#ifndef STORE_RANK_H
#define STORE_RANK_H

#define STORE_SEVERITIES(X) X(fatal, 3) X(error, 2) X(warning, 1) X(info, 0)
#define STORE_CONFIDENCES(X) X(proof, 2) X(strong, 1) X(heuristic, 0)

/* SQL expressions, higher is worse or surer; NULL for a word that is none. */
#define STORE_RANK_WHEN(word, rank) " WHEN '" #word "' THEN " #rank
#define STORE_SEVERITY_RANK "CASE severity" STORE_SEVERITIES(STORE_RANK_WHEN) " END"
#define STORE_CONFIDENCE_RANK "CASE confidence" STORE_CONFIDENCES(STORE_RANK_WHEN) " END"
/* What makes the report end with exit code 1. */
#define STORE_IS_SEVERE "severity IN ('fatal', 'error')"
/* What is worst comes first. */
#define STORE_FINDING_ORDER STORE_SEVERITY_RANK " DESC, " STORE_CONFIDENCE_RANK " DESC, finding_id"

#endif
