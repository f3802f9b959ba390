# The `proflite` package.
dist_plpy_DATA += \
	%reldir%/proflite/__init__.py \
	%reldir%/proflite/__main__.py \
	%reldir%/proflite/_budget.py \
	%reldir%/proflite/_ipython.py \
	%reldir%/proflite/_main.py \
	%reldir%/proflite/_profile.py \
	%reldir%/proflite/_program.py \
	%reldir%/proflite/_tool.py \
	%reldir%/proflite/_web.py \
	%reldir%/proflite/asgi.py \
	%reldir%/proflite/pytest_plugin.py \
	%reldir%/proflite/wsgi.py
