// Node's own fetch, which takes no notice of proxy variables.
(async () => {
	for (const url of process.argv.slice(2)) {
		try {
			const answer = await fetch(url);
			console.log(answer.status, (await answer.text()).trim());
		} catch (error) {
			console.log('error', (error.cause && error.cause.code) || error.message);
		}
	}
})();
