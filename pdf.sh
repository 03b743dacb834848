cd /tmp/tester; d=$(mktemp -d); timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --user-data-dir=$d --no-pdf-header-footer --print-to-pdf=shots/$1.pdf file:///tmp/tester/html/$1.html >/dev/null 2>&1; rm -rf $d
pdftoppm -r 50 -png shots/$1.pdf shots/$1_p; ls shots/$1_p* | wc -l
