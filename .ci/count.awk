# Reads a runner's output; prints "PASSED FAILED". -v kind=... -v status=EXIT_STATUS
{ gsub(/\033\[[0-9;]*m/, "") }

# cargo test: test result: ok. 12 passed; 0 failed; 1 ignored; ...
kind == "cargo" && /^test result: / { add("passed"); add("failed"); seen = 1 }

# nextest: Summary [  12.345s] 34 tests run: 33 passed (1 slow), 1 failed, 1 timed out, 0 skipped
kind == "cargo" && /^ *Summary \[/ { add("passed"); add("failed"); add("timed"); seen = 1 }

# vitest:  Tests  1 failed | 12 passed (13), and files that did not even load
kind == "vitest" && /^ *Tests +[0-9]/ { add("passed"); add("failed"); seen = 1 }

# playwright:   1 failed / 2 flaky / 12 passed (5.3s), each in a line
kind == "playwright" && /^ *[0-9]+ passed \(/ { add("passed"); seen = 1 }
kind == "playwright" && /^ *[0-9]+ (failed|flaky|interrupted|did not run)$/ { failed += $1; seen = 1 }

# scripts: dash: 12 passed, 0 failed
kind == "lines" && /(^|: )[0-9]+ passed, [0-9]+ failed$/ { add("passed"); add("failed"); seen = 1 }

# add WORD: the number before it
function add(word, i, text, parts) {
  text = $0
  gsub(/[,;|]/, " ", text)
  n = split(text, parts, " ")
  for (i = 2; i <= n; i++) if (parts[i] == word) {
    if (word == "passed") passed += parts[i - 1]; else failed += parts[i - 1]
    return
  }
}

END {
  if (kind == "check") { passed = status == 0; failed = status != 0 }
  else if (!seen || (status != 0 && failed == 0) || (passed + failed == 0)) failed++
  printf "%d %d\n", passed, failed
}
