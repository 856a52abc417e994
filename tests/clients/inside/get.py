"""Python's urllib: by its proxy variables, or with "direct" without them."""
import sys
import urllib.error
import urllib.request

if sys.argv[1] == "direct":
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
for url in sys.argv[2:]:
    try:
        with urllib.request.urlopen(url) as answer:
            print(answer.status, answer.read().decode().strip())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode().strip())
    except OSError as error:
        print("error", error)
