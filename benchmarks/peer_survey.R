# The reference's way: R's survey package on the records of one state, repeated once per area, weights times factor.
# Arguments: share|quantile, file of records (geo, value, w0 .. w80), file of results.
suppressPackageStartupMessages(library(survey))
arguments <- commandArgs(trailingOnly = TRUE)
task <- arguments[1]
records <- read.csv(arguments[2], colClasses = c(geo = "character"))
design <- svrepdesign(
  data = records[, c("geo", "value")], weights = records$w0, repweights = records[, paste0("w", 1:80)],
  type = "JK1", scale = 4 / 80, rscales = rep(1, 80), mse = TRUE, combined.weights = TRUE
)
areas <- sort(unique(records$geo))
if (task == "share") {
  t <- qt(0.975, degf(design))
  found <- svyby(~value, ~geo, design, svymean)
  out <- data.frame(geo = found$geo, metric = "share_employed", value = found$value,
                    lb = pmax(found$value - t * found$se, 0), ub = pmin(found$value + t * found$se, 1))
} else {
  probabilities <- c(0.2, 0.5, 0.8)
  out <- do.call(rbind, lapply(areas, function(area) {
    part <- subset(design, geo == area)
    found <- svyquantile(~value, part, probabilities, qrule = "hf3", interval.type = "mean", ci = TRUE)$value
    data.frame(geo = area, metric = paste0("pctl_income_", 100 * probabilities),
               value = found[, "quantile"], lb = found[, "ci.2.5"], ub = found[, "ci.97.5"])
  }))
}
out[, c("value", "lb", "ub")] <- lapply(out[, c("value", "lb", "ub")], format, digits = 17)
write.csv(out, arguments[3], row.names = FALSE, quote = FALSE)
cat(as.character(packageVersion("survey")), "\n")
