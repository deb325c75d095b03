# The monitor with its compiled kernels: one image for worker, replay and alerts. docs/operating.md says how it is run.
#
#   docker build -t liquidation-monitor .
#
# Kernels are compiled here for a class of processors, by default those with AVX2 and FMA (Intel since 2013, AMD since
# 2015). For the processor that it will run on, with AVX-512 for one, build with --build-arg NUMBA_CPU_NAME=skylake-avx512
# and --build-arg NUMBA_CPU_FEATURES= on such a machine, or run with both variables empty and a volume at
# /var/lib/liqmon: the first start then compiles for some minutes, the others find what it made.
FROM python:3.11.13-slim-bookworm AS build
RUN python -m venv /opt/liqmon
COPY requirements/alerts.txt /tmp/requirements.txt
RUN /opt/liqmon/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements.txt \
    && /opt/liqmon/bin/pip uninstall --yes pip setuptools
COPY kernels /opt/liqmon/app/kernels
COPY schemas /opt/liqmon/app/schemas
COPY monitor /opt/liqmon/app/monitor
ARG NUMBA_CPU_NAME=haswell
ARG NUMBA_CPU_FEATURES="+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fsgsbase,+fxsr,+invpcid,+lzcnt,+mmx,+movbe,+pclmul,+popcnt,+rdrnd,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,+xsaveopt"
ENV NUMBA_CPU_NAME=${NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES} PYTHONPATH=/opt/liqmon/app
# Beside the modules: read from there, wherever the process may write (docs/decisions/0143).
RUN /opt/liqmon/bin/python -m compileall -q /opt/liqmon/app \
    && /opt/liqmon/bin/python -c "from kernels import warmup; from monitor.models import warmup as models; warmup.warm_up(); models.warm_up()"

FROM python:3.11.13-slim-bookworm
RUN groupadd --system --gid 10001 liqmon \
    && useradd --system --uid 10001 --gid liqmon --no-create-home --home-dir /var/lib/liqmon liqmon \
    && install -d -o liqmon -g liqmon /var/lib/liqmon /run/liqmon
COPY --from=build /opt/liqmon /opt/liqmon
ARG NUMBA_CPU_NAME=haswell
ARG NUMBA_CPU_FEATURES="+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fsgsbase,+fxsr,+invpcid,+lzcnt,+mmx,+movbe,+pclmul,+popcnt,+rdrnd,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,+xsaveopt"
ENV NUMBA_CPU_NAME=${NUMBA_CPU_NAME} NUMBA_CPU_FEATURES=${NUMBA_CPU_FEATURES} \
    NUMBA_CACHE_DIR=/var/lib/liqmon/kernels \
    PYTHONPATH=/opt/liqmon/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    LIQMON_DATA_DIR=/var/lib/liqmon/data
USER 10001:10001
WORKDIR /var/lib/liqmon
# The root may be read-only; /var/lib/liqmon and /tmp have to be writable.
VOLUME /var/lib/liqmon
# Of a worker; others switch it off. Not /readyz: a worker whose market is silent is not ready, and is not to be restarted.
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["/opt/liqmon/bin/python", "/opt/liqmon/app/monitor/probe.py", "livez"]
ENTRYPOINT ["/opt/liqmon/bin/python", "-m", "monitor"]
CMD ["--help"]
