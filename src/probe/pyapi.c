/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/pyapi.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct pl_pyapi pl_py;

#define NEEDED true
#define IF_THERE false

#ifdef PL_FREE_THREADED
#define IS_FREE_THREADED true
#else
#define IS_FREE_THREADED false
#endif

/* Every free-threaded build says so in its version, and no other does. */
bool pl_pyapi_is_ours(struct pl_error *err)
{
	bool is = strstr(Py_GetVersion(), "free-threading build") != NULL;

	if (is == IS_FREE_THREADED)
		return true;
	pl_fail(err, PL_ERR_FORMAT, is ?
		"this Python is free-threaded and needs an engine of its own: "
		"configure proflite with --with-python naming it" :
		"this engine is for a free-threaded Python");
	return false;
}

/* By Lib/opcode.py: 3.14 and 3.15 have the same one. */
static unsigned char resume_of(int version)
{
	return version == 0x030c ? 151 : version == 0x030d ? 149 : 128;
}

int pl_pyapi_init(struct pl_error *err)
{
	static const struct {
		const char *symbol;
		void *slot;
		bool needed;
	} wanted[] = {
		{ "PyFunction_Type", &pl_py.function_type, NEEDED },
		{ "PyMethod_Type", &pl_py.method_type, NEEDED },
		{ "PyCode_Type", &pl_py.code_type, NEEDED },
		{ "_PyType_Lookup", &pl_py.type_lookup, IF_THERE },
		{ "PyEval_SetProfile", &pl_py.set_profile, NEEDED },
		{ "_PyEval_SetProfile", &pl_py.set_profile_thread, IF_THERE },
		{ "PyInterpreterState_Main", &pl_py.main_interpreter, NEEDED },
		{ "PyInterpreterState_ThreadHead", &pl_py.thread_head, NEEDED },
		{ "PyThreadState_Next", &pl_py.thread_next, NEEDED },
		{ "PyFrame_GetLasti", &pl_py.frame_lasti, IF_THERE },
		{ "PyFrame_GetBack", &pl_py.frame_back, NEEDED },
		{ "PyFrame_GetCode", &pl_py.frame_code, NEEDED },
		{ "PyGILState_Check", &pl_py.gil_check, NEEDED },
		{ "PyEval_GetFrame", &pl_py.current_frame, NEEDED },
		{ "PyContextVar_Get", &pl_py.contextvar_get, NEEDED },
		{ "PyVectorcall_Call", &pl_py.vectorcall_call, NEEDED },
	};
	char *end;
	long major = strtol(Py_GetVersion(), &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	pl_py.version = (int)(major << 8 | minor);
	pl_py.resume = resume_of(pl_py.version);
	if (!pl_pyapi_is_ours(err))
		return PL_ERR_FORMAT;
	if (pl_py.version < 0x0309)
		return pl_fail(err, PL_ERR_FORMAT,
			       "Python %ld.%ld is too old: 3.9 or newer is needed",
			       major, minor);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		void *p = dlsym(RTLD_DEFAULT, wanted[i].symbol);

		if (!p && wanted[i].needed)
			return pl_fail(err, PL_ERR_FORMAT,
				       "Python %ld.%ld has no %s", major,
				       minor, wanted[i].symbol);
		*(void **)wanted[i].slot = p;
	}
	return 0;
}
