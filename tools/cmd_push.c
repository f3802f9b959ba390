/* SPDX-License-Identifier: MIT */
/* push: a run to a server that keeps those of a fleet. */
#include <config.h>

#include "cmd.h"
#include "export/exporter.h"
#include "export/remote.h"
#include "export/stacks.h"
#include "push.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

#define MOST_HEADERS 16

#define TIMEOUT_SECONDS 300

enum { OPT_TO, OPT_NAME, OPT_LABEL, OPT_HEADER, OPT_TIMEOUT };

static const struct pl_opt options[] = {
	[OPT_TO] = { "to", 0, "SERVER",
		     "pyroscope (default) or parca: what answers there" },
	[OPT_NAME] = { "name", 0, "NAME",
		       "service_name (default: the run's label, or command)" },
	[OPT_LABEL] = { "label", 'l', "NAME=VALUE", "another label" },
	[OPT_HEADER] = { "header", 'H', "HEADER",
			 "send this too: \"X-Scope-OrgID: team\"" },
	[OPT_TIMEOUT] = { "timeout", 0, "SECONDS",
			  "give up after this time (default: 300)" },
	PL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, NULL },
};

struct args {
	struct pl_source source;
	const struct pl_remote *to;
	const char *url;
	const char *name;
	const char *headers[MOST_HEADERS + 1];
	size_t n_headers;
	int64_t timeout_s;
	struct pl_remote_profile profile;
	char *owned[PL_REMOTE_LABELS];	/* names of labels */
	size_t n_owned;
};

/* ------------------------------------------------------------- arguments -- */

static bool is_label_name(const char *name, size_t n)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";

	if (!n || !strchr(letters, *name))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!strchr(letters, name[i]) &&
		    !(name[i] >= '0' && name[i] <= '9'))
			return false;
	return true;
}

static void add_label(struct args *a, const char *name, const char *value)
{
	struct pl_remote_profile *p = &a->profile;

	if (!value || p->n_labels == PL_REMOTE_LABELS)
		return;
	/* What was said comes first, and stays. */
	for (size_t i = 0; i < p->n_labels; i++)
		if (!strcmp(p->labels[i].name, name))
			return;
	p->labels[p->n_labels++] = (struct pl_remote_label){ name, value };
}

static int take_label(struct args *a, const struct pl_cmd *cmd,
		      const char *arg)
{
	size_t n = strcspn(arg, "=");
	char *name;

	if (!arg[n] || !is_label_name(arg, n))
		return pl_complain(cmd, PL_EXIT_USAGE, "--label=%s: want "
				   "NAME=VALUE, with a name of letters, digits "
				   "and _", arg);
	/* Four are ours. */
	if (a->n_owned == PL_REMOTE_LABELS - 4)
		return pl_complain(cmd, PL_EXIT_USAGE, "too many labels: %d "
				   "are the most", PL_REMOTE_LABELS - 4);
	name = strndup(arg, n);
	if (!name)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	a->owned[a->n_owned++] = name;
	add_label(a, name, arg + n + 1);
	return PL_GO_ON;
}

static int take_header(struct args *a, const struct pl_cmd *cmd,
		       const char *arg)
{
	if (!strchr(arg, ':') || arg[strcspn(arg, "\r\n")])
		return pl_complain(cmd, PL_EXIT_USAGE, "--header: want "
				   "\"Name: value\"");
	if (a->n_headers == MOST_HEADERS)
		return pl_complain(cmd, PL_EXIT_USAGE, "too many headers: %d "
				   "are the most", MOST_HEADERS);
	a->headers[a->n_headers++] = arg;
	return PL_GO_ON;
}

static int take_server(struct args *a, const struct pl_cmd *cmd,
		       const char *arg)
{
	if (!strcmp(arg, pl_remote_pyroscope.name))
		a->to = &pl_remote_pyroscope;
	else if (!strcmp(arg, pl_remote_parca.name))
		a->to = &pl_remote_parca;
	else
		return pl_complain(cmd, PL_EXIT_USAGE, "--to=%s: want "
				   "pyroscope or parca", arg);
	return PL_GO_ON;
}

static int take_timeout(struct args *a, const struct pl_cmd *cmd,
			const char *arg)
{
	if (pl_opts_whole(arg, &a->timeout_s) && a->timeout_s >= 1 &&
	    a->timeout_s <= 86400)
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE, "--timeout=%s: want a number of "
			   "seconds from 1 to 86400", arg);
}

static int take_option(struct args *a, const struct pl_cmd *cmd, int opt,
		       const char *arg)
{
	switch (opt) {
	case OPT_TO:
		return take_server(a, cmd, arg);
	case OPT_NAME:
		a->name = arg;
		return PL_GO_ON;
	case OPT_LABEL:
		return take_label(a, cmd, arg);
	case OPT_HEADER:
		return take_header(a, cmd, arg);
	case OPT_TIMEOUT:
		return take_timeout(a, cmd, arg);
	}
	return pl_source_option(&a->source, cmd, options[opt].name, arg) < 0
		       ? PL_EXIT_USAGE
		       : PL_GO_ON;
}

static int parse(struct args *a, const struct pl_cmd *cmd, int argc,
		 char **argv)
{
	struct pl_opts o;
	size_t n;
	int opt, rc;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		rc = take_option(a, cmd, opt, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	if (!o.n_operands)
		return pl_complain(cmd, PL_EXIT_USAGE, "where to?  Name the "
				   "server: http://HOST:PORT");
	if (o.n_operands > 2)
		return pl_complain(cmd, PL_EXIT_USAGE, "one database at a "
				   "time: what is %s?", argv[2]);
	a->url = argv[0];
	a->source.db = o.n_operands > 1 ? argv[1] : NULL;
	n = strncmp(a->url, "https://", 8) ? 7 : 8;
	if ((n == 7 && strncmp(a->url, "http://", 7)) ||
	    !a->url[n + strspn(a->url + n, "/")])
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "%s: want a URL that "
				   "begins with http:// or https://, such as "
				   "http://HOST:PORT",
				   a->url);
	return PL_GO_ON;
}

/* --------------------------------------------------------- what is pushed -- */

/* "app" of "/usr/bin/python3 -X dev /srv/app.py --fast"; malloc'ed. */
static char *name_of_command(const char *command)
{
	const char *word = command ? command : "", *base;
	size_t n, len;

	for (;; word += n, word += strspn(word, " ")) {
		n = strcspn(word, " ");
		if (!n)
			return strdup("python");
		base = word;
		for (size_t i = 0; i < n; i++)
			if (word[i] == '/')
				base = word + i + 1;
		len = n - (size_t)(base - word);
		if (*word != '-' && strncmp(base, "python", 6) && len)
			break;
	}
	if (len > 3 && !strncmp(base + len - 3, ".py", 3))
		len -= 3;
	return strndup(base, len);
}

/* Of the run, what names it among those of a fleet. */
static void describe(struct args *a, const struct pl_run *run,
		     const struct pl_process *first, char **name)
{
	const char *clock = first ? first->clock : NULL;

	*name = run && run->label && !a->name
			? strdup(run->label)
			: name_of_command(first ? first->command : NULL);
	add_label(a, "service_name", a->name ? a->name : *name);
	add_label(a, "__name__", clock && !strcmp(clock, "cpu")
					 ? "process_cpu" : "wall");
	add_label(a, "host", first ? first->host : NULL);
	a->profile.id = run ? run->uuid : "";
}

static int make_pprof(const struct pl_cmd *cmd, struct pl_store *store,
		      const struct args *a, char **data, size_t *size)
{
	struct pl_export_left left = { 0 };
	const struct pl_export_options how = { .left = &left };
	FILE *f = open_memstream(data, size);
	struct pl_error err;
	int rc;

	if (!f)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	rc = pl_export_pprof.write(store, &a->source.select, &how, f, &err);
	if (fclose(f) && !rc)
		rc = pl_fail(&err, PL_ERR_NOMEM, "out of memory");
	if (left.n_folded)
		pl_complain(cmd, 0, "note: recursion is folded in %u thread%s "
			    "with call paths of more than %d calls",
			    left.n_folded, left.n_folded == 1 ? "" : "s",
			    PL_STACKS_DEPTH);
	return rc ? pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text) : 0;
}

/* --------------------------------------------------------------- pushing -- */

/* The first line of what was said, for a sentence. */
static const char *first_line(char *text)
{
	text[strcspn(text, "\r\n")] = '\0';
	if (strlen(text) > 200)
		text[200] = '\0';
	return text;
}

static int judge(const struct args *a, const struct pl_cmd *cmd,
		 const char *url, struct pl_push_answer *answer)
{
	char *message;
	int status;

	if (answer->status / 100 != 2)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s answers %ld: %s",
				   url, answer->status,
				   first_line(answer->text +
					      answer->body_at));
	if (a->to != &pl_remote_parca)
		return PL_EXIT_OK;
	status = pl_remote_grpc_status(answer->text, answer->bytes, &message);
	if (!status)
		return PL_EXIT_OK;
	if (status < 0)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s answers, but not as "
				   "Parca does", url);
	return pl_complain(cmd, PL_EXIT_FAILED, "%s refuses the profile: %s "
			   "(gRPC status %d)", url, first_line(message),
			   status);
}

static int send_body(const struct args *a, const struct pl_cmd *cmd,
		     const char *body, size_t bytes)
{
	struct pl_push_answer answer;
	struct pl_push push = { .content_type = a->to->content_type,
				.headers = a->headers, .body = body,
				.bytes = bytes,
				.timeout_s = (long)a->timeout_s };
	int n = (int)strlen(a->url);
	struct pl_error err;
	char *url, *shown;
	int rc;

	while (n && a->url[n - 1] == '/')
		n--;
	if (asprintf(&url, "%.*s%s", n, a->url, a->to->path) < 0)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	push.url = url;
	shown = pl_push_url_shown(url);
	rc = pl_push(&push, &answer, &err);
	if (rc)
		rc = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	else
		rc = judge(a, cmd, shown ? shown : "the server", &answer);
	free(answer.text);
	free(shown);
	free(url);
	return rc;
}

static int push_profile(struct args *a, const struct pl_cmd *cmd)
{
	char *body = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&body, &bytes);
	struct pl_error err;
	int rc;

	if (!f)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	rc = a->to->write(&a->profile, f, &err);
	if (fclose(f) && !rc)
		rc = pl_fail(&err, PL_ERR_NOMEM, "out of memory");
	if (rc)
		rc = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	else
		rc = send_body(a, cmd, body, bytes);
	free(body);
	return rc;
}

/* The run that is selected, or the latest. */
static const struct pl_run *find_run(const struct args *a,
				     const struct pl_run *runs, size_t n)
{
	const struct pl_run *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (!a->source.select.run_id ||
		    runs[i].id == a->source.select.run_id)
			found = &runs[i];
	return found;
}

static int push_from(struct args *a, const struct pl_cmd *cmd,
		     struct pl_store *store)
{
	struct pl_process *processes = NULL;
	size_t n_runs = 0, n_processes = 0, size;
	const struct pl_run *run;
	struct pl_run *runs;
	struct pl_error err;
	char *pprof = NULL, *name = NULL;
	int rc = pl_store_runs(store, &runs, &n_runs, &err);

	if (rc)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	run = find_run(a, runs, n_runs);
	/* What is not there is said by who reads it. */
	rc = make_pprof(cmd, store, a, &pprof, &size);
	if (!rc && run && pl_store_processes(store, run->id, &processes,
					     &n_processes, &err))
		rc = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	if (!rc) {
		describe(a, run, n_processes ? processes : NULL, &name);
		a->profile.pprof = pprof;
		a->profile.pprof_bytes = size;
		rc = push_profile(a, cmd);
	}
	pl_processes_free(processes, n_processes);
	pl_runs_free(runs, n_runs);
	free(pprof);
	free(name);
	return rc;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	struct args a = { .to = &pl_remote_pyroscope,
			  .timeout_s = TIMEOUT_SECONDS };
	struct pl_store *store;
	int status = parse(&a, cmd, argc, argv);

	if (status == PL_GO_ON) {
		status = pl_source_open(&a.source, cmd, &store);
		if (!status) {
			status = push_from(&a, cmd, store);
			pl_store_close(store);
		}
	}
	for (size_t i = 0; i < a.n_owned; i++)
		free(a.owned[i]);
	return status;
}

const struct pl_cmd pl_cmd_push = {
	.name = "push",
	.summary = "send a run to Pyroscope or Parca",
	.synopsis = "[OPTION]... URL [DB]",
	.options = options,
	.run = run,
};
